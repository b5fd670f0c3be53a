"""Checks of a recipe before a ladder is trained with it: do its rules carry over from one size to another?"""
