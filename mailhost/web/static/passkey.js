// Passkeys need a script; everything else on these pages works without. Filled in by the pages that ask for one.
