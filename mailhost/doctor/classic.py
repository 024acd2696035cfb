"""The five causes behind nearly every mail program that does not connect, in the order in which to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailhost.doctor.catalogue import Text


@dataclass(frozen=True, slots=True)
class Classic:
    """One of the five: its name, what to check, and the leaves of the tree that belong to it."""

    name: Text
    check: Text
    leaves: tuple[str, ...]


CLASSICS: Final = (
    Classic(
        Text("Network", "网络"),
        Text(
            "Does a web page open? Is the host name spelled as below? Try without VPN, and over a phone's network.",
            "网页能打开吗？主机名与下面一致吗？请关闭 VPN，或用手机热点再试。",
        ),
        ("A1", "B1", "B2", "B3", "B4"),
    ),
    Classic(
        Text("Port or encryption", "端口或加密方式"),
        Text(
            "SSL/TLS belongs to 993, 995 and 465; STARTTLS to 143, 110 and 587. Port 25 is not for mail programs.",
            "SSL/TLS 对应 993、995、465；STARTTLS 对应 143、110、587。端口 25 不供邮件客户端使用。",
        ),
        ("C1", "C2", "C3", "C4"),
    ),
    Classic(
        Text("App password", "应用专用密码或授权码"),
        Text(
            "Most providers refuse the account's own password in mail programs: make an app password or an "
            "authorization code, or choose OAuth2.",
            "多数服务商不接受在邮件客户端中使用账户密码：请生成应用专用密码或授权码，或选择 OAuth2。",
        ),
        ("E2", "E7", "E4", "E1"),
    ),
    Classic(
        Text("Security check of the account", "账户安全限制"),
        Text(
            "Sign in on the provider's web page: it may ask whether it was you, or IMAP must be switched on there.",
            "请在服务商网页登录：可能需要确认是否本人操作，或需要先开启 IMAP 服务。",
        ),
        ("E3", "E6", "E14", "E15"),
    ),
    Classic(
        Text("Settings of the program", "客户端设置"),
        Text(
            "User name is the whole address; sending needs sign-in, too; close other programs; check date and time; "
            "switch mail scanning of a virus scanner off.",
            "用户名为完整地址；发信同样需要登录；关闭其他程序；检查日期和时间；关闭杀毒软件的邮件扫描。",
        ),
        ("E13", "F1", "D1", "D5"),
    ),
)
