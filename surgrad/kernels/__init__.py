"""The operations that a network spends its time in; the plain-torch reference defines each."""
