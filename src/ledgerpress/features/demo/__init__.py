"""The demo newsroom: three weeks of an invented harbour town's paper, written through ordinary use cases."""

from ledgerpress.features.demo.clock import DemoClock
from ledgerpress.features.demo.load import DEMO_WEEKS, StoreNotEmpty, load_demo

__all__ = ["DEMO_WEEKS", "DemoClock", "StoreNotEmpty", "load_demo"]
