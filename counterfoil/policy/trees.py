"""What a policy's syntax tree says about whom, what and where it is for.

Used to explain, never to decide: the engine decides.

Source: `cedarpy.pst`, which mirrors the policy syntax of Cedar 4.12.
"""

from cedarpy import pst

from counterfoil.policy.entities import Uid
from counterfoil.policy.verbs import SENSITIVE


def is_for_verb(tree: pst.Template, verb: str) -> bool:
    """Say whether the head of a policy names this verb, or a group it is in, or all verbs."""
    names: tuple[pst.EntityUid, ...]
    match tree.action:
        case pst.ActionEq(entity=uid):
            names = (uid,)
        case pst.ActionIn(entities=names):
            pass
        case _:
            return True
    return any(uid.id == verb or (uid.id == "sensitive" and verb in SENSITIVE) for uid in names)


def is_for_place(tree: pst.Template, kind: str, places: frozenset[Uid]) -> bool:
    """Say whether the head of a policy covers an object.

    Args:
        tree: the policy.
        kind: entity type of the object.
        places: the object itself and everything it is in.
    """
    match tree.resource:
        case (
            pst.ScopeEq(entity=pst.EntityUid() as uid) | pst.ScopeIn(entity=pst.EntityUid() as uid)
        ):
            return as_uid(uid) in places
        case pst.ScopeIs(entity_type=asked):
            return asked.basename == kind
        case pst.ScopeIsIn(entity_type=asked, entity=pst.EntityUid() as uid):
            return asked.basename == kind and as_uid(uid) in places
        case _:
            return True


def groups_asked(tree: pst.Template) -> frozenset[Uid]:
    """Return the roles and teams one of which a policy asks of the principal.

    That of its head, and where the head names none, those in its `when` conditions.
    """
    match tree.principal:
        case (
            pst.ScopeIn(entity=pst.EntityUid() as uid)
            | pst.ScopeIsIn(entity=pst.EntityUid() as uid)
        ):
            return frozenset({as_uid(uid)})
        case _:
            return groups_named(tuple(one for one in tree.clauses if isinstance(one, pst.When)))


def groups_named(nodes: tuple[pst.PstNode, ...]) -> frozenset[Uid]:
    """Return the roles and teams named anywhere under the nodes."""
    named = (as_uid(uid) for uid in pst.entity_uids(nodes))
    return frozenset(uid for uid in named if uid[0] in {"Role", "Team"})


def as_uid(uid: pst.EntityUid) -> Uid:
    """Return type and name of an entity."""
    return str(uid.type), uid.id
