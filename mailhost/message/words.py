"""The words generated messages are made of."""

from typing import Final, NamedTuple


class Person(NamedTuple):
    """Somebody who writes."""

    name: str
    address: str


NAMES: Final = (
    Person("Anna Lindqvist", "anna.lindqvist@example.org"),
    Person("Ben Okafor", "ben@example.net"),
    Person("Chloé Martin", "chloe.martin@example.com"),
    Person("Dr. Emil Novák", "emil.novak@uni.example.edu"),
    Person("Fatima Zahra", "fatima@studio.example.org"),
    Person("Giulia Rossi", "g.rossi@example.com"),
    Person("Hiroshi Tanaka", "tanaka@example.jp"),
    Person("Jörg Müller", "joerg.mueller@example.de"),
    Person("Katarzyna Wójcik", "kasia@example.net"),
    Person("Liu Yang", "liuyang@example.cn"),
    Person("Maria J. Fernandez", "maria+work@example.org"),
    Person("王小明", "xiaoming@example.cn"),
    Person("O'Brien, Niamh", "niamh@example.ie"),
    Person("Priya Raman", "priya.raman@example.in"),
    Person("The Build Server", "builds@ci.example.org"),
)

PROJECTS: Final = ("Harbour", "Lantern", "Meridian", "Orchard", "Quarry", "Signal", "Tern", "Willow")

REMARKS: Final = (
    "Thank you, that answers my question.",
    "Yes, Thursday works for me too.",
    "I do not think so, see below.",
    "Sorry for the late answer, I was away last week.",
    "Agreed. Who tells the others?",
)

SENTENCES: Final = (
    "The second draft is in the shared folder and wants your comments before Friday noon.",
    "We moved the meeting to the small room on the third floor because the projector there works.",
    "Could you look at the invoice once more, the total seems to be off by one line.",
    "The train leaves at ten past eight, so let us meet under the clock at eight.",
    "All tests pass on my machine, but the nightly run still shows two failures in the import.",
    "Please find the signed contract attached and keep the original for your records.",
    "Nobody has claimed the blue bicycle in the yard, and it has been there since October.",
    "The new heating is quieter than the old one, although the cellar remains cold.",
    "I have booked four seats near the window and told them about the allergies.",
    "Our supplier promises delivery within two weeks if we confirm the quantities today.",
    "When the backup finished at night it had copied about forty gigabytes in under an hour.",
    "Let me know whether the photographs arrived, some of them are rather large.",
    "The garden needs water, the cat needs food, and the key is where it always is.",
    "After the update the report opens twice as fast and no longer forgets the filters.",
    "She asked for café prices in euros, so the table shows both currencies now.",
)

CHINESE: Final = (
    "会议改到星期四下午三点，请大家准时参加。",
    "附件是修改后的合同，请您过目并签字。",
    "系统升级已经完成，如有问题请及时联系我们。",
    "感谢您的来信，我们会在两个工作日内答复。",
    "本月的报表已经整理好，数据与上月相比略有增长。",
    "周末天气不错，我们一起去爬山吧！",
)
