"""Saved searches: a name for the words of a search, for whoever saved it, in one project or in all.

They are kept as written, in state.db: `since:7d` goes on meaning seven days before it is asked.
They are nobody's evidence, and losing them loses none.
"""

from typing import Final

from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.projections.search import read_query
from counterfoil.stores.state import SavedSearch, State

__all__ = ["EVERYWHERE", "NAME_MAX", "SAVED_MAX", "SavedSearch", "forget", "save", "saved"]

# What stands for the project of a search of every log: no project is called so.
EVERYWHERE: Final = "*"
SAVED_MAX: Final = 100
NAME_MAX: Final = 80


def saved(state: State, handle: str, project: str) -> list[SavedSearch]:
    """Return what a handle saved in a project, by name."""
    return state.saved_searches(handle, project)


def save(state: State, clock: Clock, handle: str, project: str, name: str, query: str) -> None:
    """Keep a search under a name; one of that name is replaced.

    Raises:
        RequestError: `query_invalid`: no name, an empty search, one with a word that is off (its
            `position` and `word` say where), or too many.
    """
    called = " ".join(name.split())
    text = " ".join(query.split())
    if not called or len(called) > NAME_MAX or not called.isprintable():
        raise RequestError("query_invalid", f"a saved search has a name of 1 to {NAME_MAX} letters")
    if not text:
        raise RequestError("query_invalid", "an empty search needs no name; write some words first")
    read_query(text, clock.now())
    names = {one.name for one in state.saved_searches(handle, project)}
    if called not in names and len(names) >= SAVED_MAX:
        raise RequestError(
            "query_invalid", f"{SAVED_MAX} searches are saved already; remove one first"
        )
    state.save_search(handle, project, SavedSearch(called, text, format_time(clock.now())))


def forget(state: State, handle: str, project: str, name: str) -> None:
    """Remove a saved search; removing what is not there is no error."""
    state.forget_search(handle, project, name)
