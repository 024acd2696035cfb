"""What a mail program must know to reach an account, in every format that a program asks for."""
