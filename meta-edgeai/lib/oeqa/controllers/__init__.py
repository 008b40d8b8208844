"""Targets of testimage; other layers' are in the same package."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
