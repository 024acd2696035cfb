"""The languages people read Mailhost in: sentences in the code are English, a `.po` file gives each in another."""

from mailhost.language.translations import LANGUAGES, N_, Translations, best_language, translations

__all__ = ["LANGUAGES", "N_", "Translations", "best_language", "translations"]
