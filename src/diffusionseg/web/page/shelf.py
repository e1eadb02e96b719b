"""What the page remembers for its visitors between two clicks."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from diffusionseg.web.body import Refused

Item = TypeVar("Item")


class Shelf(Generic[Item]):
    """Things by a key that cannot be guessed. The longest unused go when they are too many or too big."""

    def __init__(self, what: str, most: int, room: int, size: Callable[[Item], int]) -> None:
        """`what` names a thing in errors; `size` of all together stays within `room`, unless it is a single one."""
        self._what, self._most, self._room, self._size = what, most, room, size
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, item: Item) -> str:
        """Keep a thing; returns its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._items[key] = item
            self._drop()
        return key

    def get(self, key: object) -> Item:
        """The thing of a key. Raises Refused (404)."""
        with self._lock:
            if not isinstance(key, str) or key not in self._items:
                raise Refused(404, f"this {self._what} is no longer kept here; please begin again")
            self._items.move_to_end(key)
            # Things grow while they are used.
            self._drop()
            return self._items[key]

    def _drop(self) -> None:
        while len(self._items) > 1 and (
            len(self._items) > self._most or sum(map(self._size, self._items.values())) > self._room
        ):
            self._items.popitem(last=False)
