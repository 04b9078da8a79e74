"""Parts that are broken on purpose, and sound ones beside them: they show what each suite catches."""
