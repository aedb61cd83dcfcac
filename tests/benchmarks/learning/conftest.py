"""What trains here trains the tiny model, on one core."""

from tests.support.training_base import base_dir, one_core

__all__ = ["base_dir", "one_core"]
