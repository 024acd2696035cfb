"""The LMTP door (RFC 2033): deliveries from a mail server that trusts us and wants one answer a recipient."""

from typing import ClassVar

from mailhost.mailstore import Incoming
from mailhost.protocols.smtp.replies import reply
from mailhost.servers.smtp.answers import answer_for
from mailhost.servers.smtp.mx import MxSession
from mailhost.servers.smtp.session import Transaction


class LmtpSession(MxSession):
    """As MX, but for the answers after the message: each recipient has its own."""

    is_lmtp: ClassVar[bool] = True

    async def accept(self, transaction: Transaction, incoming: Incoming) -> bytes:
        """One reply for each RCPT that was accepted, in their order."""
        outcomes = await self.deliver(transaction, incoming)
        good = reply(250, f"OK {transaction.origin.transaction_id}", "2.0.0")
        answers = []
        for recipient in transaction.recipients:
            outcome = outcomes[recipient.account_id]
            answers.append(good if outcome is None else answer_for(outcome, self.settings.help_url))
        return b"".join(answers)

    def refuse(self, transaction: Transaction, answer: bytes) -> bytes:
        """The same for everybody, once each."""
        return answer * len(transaction.recipients)
