"""Helpers for the GAN Lessons notebooks."""
