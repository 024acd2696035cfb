"""The MX door, port 25: mail from everybody, for our own domains only."""

from mailhost.accounts.audit.model import Cause
from mailhost.delivery.local import Outcome, deliver, expect_to_come_again
from mailhost.delivery.receive import Reception
from mailhost.delivery.route import route
from mailhost.mailstore import Incoming
from mailhost.protocols.smtp import events as e
from mailhost.protocols.smtp.addresses import Address
from mailhost.protocols.smtp.replies import reply
from mailhost.servers.smtp.answers import answer_for, is_permanent, quotable
from mailhost.servers.smtp.session import Session, Sink, Transaction, log


class MxSession(Session):
    """Receives for our domains. Nobody signs in here, and nothing is relayed."""

    def keywords(self) -> list[str]:
        """Nothing beyond the common."""
        return []

    async def authenticate(self, event: e.Auth) -> bytes:
        """Mail programs set to port 25 come here; they are told where to go."""
        text = (
            f"Sign-in is not possible on this port. To send mail, use port 465 or 587: {self.settings.help_url}/ports"
        )
        self.tell(Cause.SENDING_ON_WRONG_PORT, event.mechanism)
        await self.say(quotable(reply(530, text, "5.7.0"), self.stream.id))
        await self.count_mistake()
        return b""

    async def admit_sender(self, mail: e.Mail) -> bytes | None:  # noqa: ARG002 - anybody may write to us
        """Everybody may."""
        return None

    async def admit_recipient(self, transaction: Transaction, address: Address) -> None:
        """An account of ours, or the reason why not."""
        transaction.recipients.append(await self.office.database.point(route, address))

    def open_sink(self, transaction: Transaction) -> Sink:  # noqa: ARG002 - the content is the same for all
        """Store it, whoever gets it."""
        return Reception(self.office, mend=self.is_lmtp)

    async def accept(self, transaction: Transaction, incoming: Incoming) -> bytes:
        """250 only when every recipient has it; else come again, and those who have it will not get it twice."""
        outcomes = await self.deliver(transaction, incoming)
        failures = [outcome for outcome in outcomes.values() if outcome is not None]
        if not failures:
            return reply(250, f"OK {int(self.office.clock())} {transaction.origin.transaction_id}", "2.0.0")
        if len(failures) < len(outcomes):
            await expect_to_come_again(self.office, transaction.origin, outcomes)
            failures.sort(key=is_permanent)
            if is_permanent(failures[0]):  # those who have it shall not look refused
                return reply(451, "Some recipients could not be served. Try again later.", "4.3.0")
        return answer_for(failures[0], self.settings.help_url)

    async def deliver(self, transaction: Transaction, incoming: Incoming) -> dict[int, Outcome]:
        """Put the message into each account; what happened to each is logged."""
        outcomes = await deliver(self.office, incoming, transaction.origin, transaction.recipients)
        told = {"connection": self.stream.id, "transaction": transaction.origin.transaction_id}
        for account_id, outcome in outcomes.items():
            if outcome is None:
                log.info("message.delivered", **told, account=account_id, octets=incoming.blob.size)
            else:
                log.info("message.refused", **told, account=account_id, reason=type(outcome).__name__)
        return outcomes
