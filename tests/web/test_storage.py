"""What takes the space, told on the page; room made and made undone, and what a mail program sees of it."""

import html
import re

import pytest

from mailhost import mailstore
from mailhost.login.enrol import issue_app_password
from mailhost.mailstore import Intake, NewMessage, emptying, overview
from mailhost.mailstore.overview import Listed
from tests.web.conftest import ANNA, OTTO, START, MakePhone, Town
from tests.web.mailing import Phone

HERE = "/account/storage"
NOW = int(START)


async def put(town: Town, subject: str, octets: int, mailbox: str = "INBOX", address: str = ANNA) -> None:
    intake = Intake(town.blobs, 10_000_000, normalise=True)
    intake.write(f"From: boss@example.test\r\nSubject: {subject}\r\n\r\n".encode() + b"x" * 998 + b"\r\n")
    for _ in range(octets // 1_000):
        intake.write(b"x" * 998 + b"\r\n")
    message = NewMessage(await intake.finish(), NOW)
    account_id = town.ids[address]
    box = await town.database.read(mailstore.find_mailbox, account_id, mailbox)
    await town.database.write(mailstore.append, town.blobs, account_id, box.id, [message], NOW)


async def largest(town: Town) -> list[Listed]:
    return await town.database.read(overview.largest_messages, town.ids[ANNA])


async def signed_in(town: Town, phone: MakePhone) -> Phone:
    _, secret = await town.database.write(issue_app_password, town.key, ANNA, name="phone", now=NOW)
    device = phone(ANNA, secret)
    assert await device.sign_in() == "OK"
    return device


async def exists(device: Phone, mailbox: str) -> int:
    _, [count] = await device.call(lambda client: client.select(mailbox))
    return int(count or b"0")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_what_takes_the_space(town: Town, language: str) -> None:
    await put(town, "small", 500)
    await put(town, "<b>large</b>", 2_000_000, "Archive")
    browser = town.browser(language)
    await town.sign_in(browser)
    page = await browser.open(HERE)
    told = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    if language == "en":
        assert "1.9 MiB of 15 GiB" in told
        assert "Messages of 1 MB and more 1 1.9 MiB" in told
        assert "Archive 1 1.9 MiB" in told
    else:
        assert "已用 1.9 MiB，上限 15 GiB" in told
        assert "1 MB 及以上的邮件 1 1.9 MiB" in told
    assert "<b>large</b> · 1.9 MiB" in told
    assert "<b>large" not in page.text


async def test_a_large_message_goes_to_the_trash_before_the_eyes_of_a_mail_program(
    town: Town, phone: MakePhone
) -> None:
    await put(town, "large", 300_000)
    await put(town, "small", 500)
    device = await signed_in(town, phone)
    assert await exists(device, "INBOX") == 2
    browser = await town.signed_in()
    [one] = await largest(town)
    page = await browser.submit(await browser.open(HERE), f"{HERE}/discard/{one.id}")
    assert page.path == f"{HERE}?said=trashed"
    await device.call(lambda client: client.noop())
    assert await device.call(lambda client: client.response("EXPUNGE")) == ("EXPUNGE", [b"1"])
    assert await exists(device, "Trash") == 1
    page = await browser.submit(page, f"{HERE}/discard/{one.id}")
    assert page.path == f"{HERE}?said=removed"
    assert await exists(device, "Trash") == 0
    assert "What can still be put back" in page.text
    csrf = page.form("/sign-out").fields["csrf"]
    page = await browser.post_many(f"{HERE}/restore", [("csrf", csrf), ("message", str(one.id))])
    assert page.path == f"{HERE}?said=restored"
    assert await exists(device, "Trash") == 1


async def test_trash_and_spam_are_emptied_and_put_back(
    town: Town, phone: MakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "STEP", 2)
    for number in range(5):
        await put(town, f"gone {number}", 500, "Trash")
    await put(town, "spam", 500, "Junk")
    await put(town, "kept", 500)
    browser = await town.signed_in()
    page = await browser.open(HERE)
    assert "5 messages are removed" in page.text
    page = await browser.submit(page, f"{HERE}/empty/trash")
    assert page.path == f"{HERE}?said=emptied"
    page = await browser.submit(page, f"{HERE}/empty/spam")
    assert f"{HERE}/empty/" not in page.text
    device = await signed_in(town, phone)
    assert [await exists(device, name) for name in ("Trash", "Junk", "INBOX")] == [0, 0, 1]
    numbers = re.findall(r'name="message" value="(\d+)"', page.text)
    assert len(numbers) == 6
    csrf = page.form("/sign-out").fields["csrf"]
    page = await browser.post_many(f"{HERE}/restore", [("csrf", csrf), *(("message", each) for each in numbers)])
    assert [await exists(device, name) for name in ("Trash", "Junk", "INBOX")] == [5, 1, 1]
    assert (await browser.post_many(f"{HERE}/restore", [("csrf", csrf)])).path == f"{HERE}?said=none"


async def test_erasing_for_good_wants_a_fresh_proof(town: Town) -> None:
    await put(town, "gone", 500, "Trash")
    browser = await town.signed_in()
    page = await browser.submit(await browser.open(HERE), f"{HERE}/empty/trash")
    town.now += 601
    after = await browser.submit(page, f"{HERE}/erase", follow=False)
    assert after.headers["location"].startswith("/sign-in")
    assert len(await town.database.read(overview.undeletable, town.ids[ANNA], NOW)) == 1
    browser = await town.signed_in()
    page = await browser.submit(await browser.open(HERE), f"{HERE}/erase")
    assert page.path == f"{HERE}?said=erased"
    assert await town.database.read(overview.undeletable, town.ids[ANNA], NOW) == []
    assert (await town.database.read(mailstore.usage, town.ids[ANNA])).retained_octets == 0


async def test_no_room_to_put_back_is_told(town: Town) -> None:
    await put(town, "gone", 5_000, "Trash")
    browser = await town.signed_in()
    page = await browser.submit(await browser.open(HERE), f"{HERE}/empty/trash")
    await town.database.write(mailstore.set_quota, town.ids[ANNA], 100)
    page = await browser.submit(page, f"{HERE}/restore", message="1")
    assert page.path == f"{HERE}?said=full"
    assert len(await town.database.read(overview.undeletable, town.ids[ANNA], NOW)) == 1


async def test_strangers_touch_nothing(town: Town) -> None:
    await put(town, "Annas", 300_000)
    await put(town, "Annas", 300_000, "Trash")
    annas, ottos = await town.signed_in(), await town.signed_in(OTTO)
    page = await ottos.open(HERE)
    assert "Annas" not in page.text
    csrf = {"csrf": page.form("/sign-out").fields["csrf"]}
    for path in (f"{HERE}/discard/1", f"{HERE}/discard/x", f"{HERE}/empty/INBOX"):
        assert (await ottos.post(path, csrf)).status == 404, path
    assert (await ottos.post(f"{HERE}/restore", csrf | {"message": "1e9"})).status == 404
    for path in (f"{HERE}/empty/trash", f"{HERE}/restore", f"{HERE}/erase"):
        await ottos.post(path, csrf | {"message": "1"})
    for path in (f"{HERE}/discard/1", f"{HERE}/empty/trash", f"{HERE}/restore", f"{HERE}/erase"):
        assert (await annas.post(path, {"message": "1"})).status == 403, path
    assert {one.mailboxes for one in await largest(town)} == {("INBOX",), ("Trash",)}
