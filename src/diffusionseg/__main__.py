"""`python -m diffusionseg`."""

from diffusionseg.cli import main

main()
