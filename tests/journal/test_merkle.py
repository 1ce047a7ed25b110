"""The Merkle log, held against the RFC's own definition and the vectors of Certificate Transparency."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.journal.merkle import (
    EMPTY_ROOT,
    PATH_HASHES_MAX,
    SIZE_MAX,
    Frontier,
    Node,
    consistency_nodes,
    consistency_path,
    inclusion_nodes,
    inclusion_path,
    leaf_hash,
    node_hash,
    stored_cover,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The reference tests of Certificate Transparency, as every implementation carries them
# (github.com/transparency-dev/merkle, testonly/constants.go).
CT_LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_INCLUSION = [  # index, size, path
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CT_CONSISTENCY = [  # old size, new size, path
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(600)]
SMALL = 40  # up to this size, every leaf, every pair of sizes and every mutation


def mth(leaves: list[bytes]) -> bytes:
    """MTH(D[n]), word for word from RFC 6962, 2.1: the model, which shares no code with its object."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


def rfc_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), word for word from RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*rfc_path(index, leaves[:split]), mth(leaves[split:])]
    return [*rfc_path(index - split, leaves[split:]), mth(leaves[:split])]


def rfc_subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:  # noqa: FBT001 - the RFC's `b`
    """SUBPROOF(m, D[n], b), word for word from RFC 6962, 2.1.2; PROOF(m, D[n]) is SUBPROOF(m, D[n], true)."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*rfc_subproof(old, leaves[:split], whole), mth(leaves[split:])]
    return [*rfc_subproof(old - split, leaves[split:], False), mth(leaves[:split])]  # noqa: FBT003 - as above


def nodes_of(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    """Answer for perfect subtrees, and for nothing that the leaves don't fill."""

    def node(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, f"asked for an incomplete subtree {level}, {index}"
        return mth(part)

    return node


def grown(size: int) -> Frontier:
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    return frontier


def test_hashes_are_domain_separated_as_the_rfc_says() -> None:
    left, right = LEAVES[:2]

    assert leaf_hash(b"L123456") == sha256(b"\x00L123456").digest()
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()
    assert leaf_hash(left + right) != node_hash(left, right)
    assert sha256(b"").digest() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    frontier = Frontier()
    frontier.extend(CT_LEAVES[:size])

    assert frontier.root().hex() == CT_ROOTS[size]


@pytest.mark.parametrize(("index", "size", "path"), CT_INCLUSION)
def test_inclusion_paths_are_those_of_certificate_transparency(index: int, size: int, path: list[str]) -> None:
    hashes = [bytes.fromhex(hash_) for hash_ in path]

    assert inclusion_path(index, size, nodes_of(CT_LEAVES)) == hashes
    assert verify_inclusion(index, size, CT_LEAVES[index], hashes, bytes.fromhex(CT_ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "path"), CT_CONSISTENCY)
def test_consistency_paths_are_those_of_certificate_transparency(old: int, new: int, path: list[str]) -> None:
    hashes = [bytes.fromhex(hash_) for hash_ in path]
    old_root, new_root = bytes.fromhex(CT_ROOTS[old]), bytes.fromhex(CT_ROOTS[new])

    assert consistency_path(old, new, nodes_of(CT_LEAVES)) == hashes
    assert verify_consistency(old, new, old_root, new_root, hashes)


# --- the frontier


@given(st.lists(st.integers(0, 300), max_size=8).filter(lambda batches: sum(batches) <= len(LEAVES)))
def test_a_batch_gives_what_the_same_leaves_give_one_at_a_time(batches: list[int]) -> None:
    in_batches, one_by_one = Frontier(), Frontier()
    start = 0
    for batch in batches:
        in_batches.extend(LEAVES[start : start + batch])
        start += batch
    for leaf in LEAVES[:start]:
        one_by_one.append(leaf)

    assert in_batches.size == one_by_one.size == start
    assert in_batches.to_bytes() == one_by_one.to_bytes()
    assert in_batches.root() == one_by_one.root() == mth(LEAVES[:start])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 600])
def test_a_frontier_survives_its_bytes(size: int) -> None:
    frontier = grown(size)
    data = frontier.to_bytes()
    restored = Frontier.from_bytes(size, data)

    assert len(data) == 32 * size.bit_count()
    assert (restored.size, restored.root()) == (size, mth(LEAVES[:size]))
    restored.append(LEAVES[0])
    assert restored.root() == mth([*LEAVES[:size], LEAVES[0]])


@pytest.mark.parametrize(
    ("size", "length"), [(0, 32), (1, 0), (1, 31), (3, 32), (4, 64), (4, 33), (-1, 32), (SIZE_MAX + 1, 32)]
)
def test_a_frontier_refuses_bytes_that_do_not_fit_its_size(size: int, length: int) -> None:
    with pytest.raises(ValueError, match="log"):
        Frontier.from_bytes(size, bytes(length))


def test_a_copy_grows_apart_from_its_original() -> None:
    original = grown(5)
    copy = original.copy()
    copy.extend(LEAVES[5:9])

    assert (original.size, original.root()) == (5, mth(LEAVES[:5]))
    assert (copy.size, copy.root()) == (9, mth(LEAVES[:9]))


def test_a_batch_is_left_as_it_was_handed_in() -> None:
    batch = LEAVES[:7]
    grown(3).extend(batch)

    assert batch == LEAVES[:7]


@given(st.lists(st.integers(0, 300), max_size=8).filter(lambda batches: sum(batches) <= len(LEAVES)))
def test_every_completed_subtree_of_256_leaves_is_given_for_storing_exactly_once(batches: list[int]) -> None:
    frontier = Frontier()
    stored = [node for start, stop in slices(batches) for node in frontier.extend(LEAVES[start:stop])]

    complete = range(frontier.size // 256)
    assert stored == [Node(8, index, mth(LEAVES[index * 256 : (index + 1) * 256])) for index in complete]


def test_the_second_stored_level_is_over_65536_leaves() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(65_536 + 300)]
    frontier = Frontier()
    nodes = frontier.extend(leaves[:65_535])
    assert [(node.level, node.index) for node in nodes] == [(8, index) for index in range(255)]

    nodes = frontier.extend(leaves[65_535:])
    assert [(node.level, node.index) for node in nodes] == [(8, 255), (8, 256), (16, 0)]
    assert nodes[-1].hash == subtree_root(leaves[:65_536])


def slices(batches: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for batch in batches:
        yield start, start + batch
        start += batch


# --- from stored rows to subtrees


@pytest.mark.parametrize(
    ("level", "index", "rows"),
    [
        (0, 5, (0, range(5, 6))),
        (1, 5, (0, range(10, 12))),
        (7, 3, (0, range(384, 512))),
        (8, 3, (8, range(3, 4))),
        (9, 3, (8, range(6, 8))),
        (15, 1, (8, range(128, 256))),
        (16, 1, (16, range(1, 2))),
        (62, 1, (56, range(64, 128))),
    ],
)
def test_a_subtree_is_covered_by_rows_of_the_highest_stored_level(
    level: int, index: int, rows: tuple[int, range]
) -> None:
    assert stored_cover(level, index) == rows


@given(st.integers(0, 9), st.integers(0, 599))
def test_a_subtree_folds_from_the_rows_that_cover_it(level: int, leaf: int) -> None:
    index = leaf >> level
    if (index + 1) << level > len(LEAVES):
        return
    rows = {(0, position): hash_ for position, hash_ in enumerate(LEAVES)}
    rows |= {(node.level, node.index): node.hash for node in Frontier().extend(LEAVES)}

    row_level, indexes = stored_cover(level, index)
    root = subtree_root([rows[row_level, position] for position in indexes])
    assert root == mth(LEAVES[index << level : (index + 1) << level])


@pytest.mark.parametrize("count", [0, 3, 6, 127])
def test_a_perfect_subtree_does_not_fold_from_another_number_of_hashes(count: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*k"):
        subtree_root(LEAVES[:count])


# --- proofs


@given(st.integers(1, 600), st.data())
def test_an_inclusion_path_is_the_rfc_s_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, nodes_of(LEAVES))

    assert path == rfc_path(index, LEAVES[:size])
    assert verify_inclusion(index, size, LEAVES[index], path, mth(LEAVES[:size]))


@given(st.integers(1, 600), st.data())
def test_a_consistency_path_is_the_rfc_s_and_verifies(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    path = consistency_path(old, new, nodes_of(LEAVES))

    assert path == rfc_subproof(old, LEAVES[:new], whole=True)
    assert verify_consistency(old, new, mth(LEAVES[:old]), mth(LEAVES[:new]), path)


@given(st.integers(1, 600), st.data())
def test_a_path_asks_for_exactly_the_nodes_that_were_named(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new - 1))
    asked: list[tuple[int, int]] = []
    answer = nodes_of(LEAVES[:new])

    def node(level: int, index: int) -> bytes:
        asked.append((level, index))
        return answer(level, index)

    inclusion_path(old, new, node)
    assert asked == inclusion_nodes(old, new)
    asked.clear()
    consistency_path(old, new, node)
    assert asked == consistency_nodes(old, new)


@pytest.mark.parametrize("size", [1, 2, 2**40 + 12_345, 2**62, SIZE_MAX])
def test_even_the_largest_log_needs_few_hashes(size: int) -> None:
    for index in (0, size // 3, size - 1):
        assert len(inclusion_path(index, size, lambda _level, _index: EMPTY_ROOT)) <= PATH_HASHES_MAX
        assert len(inclusion_nodes(index, size)) < 2 * PATH_HASHES_MAX
        assert len(consistency_nodes(index, size)) < 2 * PATH_HASHES_MAX


def test_every_log_continues_itself_and_the_empty_one_by_an_empty_path() -> None:
    for size in range(SMALL):
        root = mth(LEAVES[:size])
        assert consistency_path(size, size, nodes_of(LEAVES)) == []
        assert consistency_path(0, size, nodes_of(LEAVES)) == []
        assert verify_consistency(size, size, root, root, [])
        assert verify_consistency(0, size, EMPTY_ROOT, root, [])
        assert not verify_consistency(size, size, root, leaf_hash(b"another"), [])
        assert not verify_consistency(size, size, root, root, [root])
        assert not verify_consistency(0, size, leaf_hash(b"another"), root, [])
        assert not verify_consistency(0, size, EMPTY_ROOT, root, [root])


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (0, SIZE_MAX + 1)])
def test_there_is_no_path_for_a_leaf_outside_the_log(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="there is no leaf"):
        inclusion_nodes(index, size)
    with pytest.raises(ValueError, match="there is no leaf"):
        inclusion_path(index, size, nodes_of(LEAVES))


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5), (0, SIZE_MAX + 1)])
def test_there_is_no_path_from_a_log_to_a_smaller_one(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="can't be the beginning"):
        consistency_nodes(old, new)
    with pytest.raises(ValueError, match="can't be the beginning"):
        consistency_path(old, new, nodes_of(LEAVES))


# --- what must not verify


def damaged_paths(path: list[bytes]) -> Iterator[list[bytes]]:
    """Give paths that differ by a bit, by a byte of length, or by a hash too few, too many or misplaced."""
    for at, hash_ in enumerate(path):
        yield [*path[:at], bytes([hash_[0] ^ 1]) + hash_[1:], *path[at + 1 :]]
        yield [*path[:at], hash_[:-1], *path[at + 1 :]]
        yield [*path[:at], hash_ + b"\x00", *path[at + 1 :]]
        yield [*path[:at], *path[at + 1 :]]
        yield [*path[:at], hash_, hash_, *path[at + 1 :]]
    yield [*path, EMPTY_ROOT]
    yield [EMPTY_ROOT, *path]
    if len(path) > 1:
        yield path[::-1]


@pytest.mark.parametrize("size", range(1, SMALL))
def test_an_inclusion_path_proves_its_own_leaf_index_size_and_root_and_nothing_else(size: int) -> None:
    root = mth(LEAVES[:size])
    for index in range(size):
        leaf, path = LEAVES[index], rfc_path(index, LEAVES[:size])
        assert verify_inclusion(index, size, leaf, path, root)
        for other in {*range(-1, SMALL + 1)} - {index}:
            assert not verify_inclusion(other, size, leaf, path, root), f"leaf {index} verifies at {other}"
        assert not verify_inclusion(index, size, LEAVES[index + 1], path, root)
        assert not verify_inclusion(index, size, leaf[:-1], path, root)
        assert not verify_inclusion(index, size, leaf, path, mth(LEAVES[: size + 1]))
        assert not verify_inclusion(index, 0, leaf, path, root)
        for damaged in damaged_paths(path):
            assert not verify_inclusion(index, size, leaf, damaged, root)


@pytest.mark.parametrize("new", range(1, SMALL))
def test_a_consistency_path_proves_its_own_sizes_and_roots_and_nothing_else(new: int) -> None:
    new_root = mth(LEAVES[:new])
    for old in range(1, new):
        old_root, path = mth(LEAVES[:old]), rfc_subproof(old, LEAVES[:new], whole=True)
        assert verify_consistency(old, new, old_root, new_root, path)
        assert not verify_consistency(new, old, new_root, old_root, path)
        assert not verify_consistency(-old, new, old_root, new_root, path)
        assert not verify_consistency(old, new, new_root, old_root, path)
        assert not verify_consistency(old, new, mth(LEAVES[: old - 1]), new_root, path)
        assert not verify_consistency(old, new, old_root, mth(LEAVES[: new + 1]), path)
        assert not verify_consistency(old, new, old_root, new_root, [])
        for damaged in damaged_paths(path):
            assert not verify_consistency(old, new, old_root, new_root, damaged)


@given(st.integers(2, 200), st.data())
def test_a_log_that_changed_an_old_leaf_is_no_continuation(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    forged = [*LEAVES[:changed], leaf_hash(b"forged"), *LEAVES[changed + 1 : new]]

    path = consistency_path(old, new, nodes_of(forged))
    assert not verify_consistency(old, new, mth(LEAVES[:old]), mth(forged), path)


def test_a_path_that_leads_to_the_root_of_another_size_proves_nothing() -> None:
    """A verifier that looked at hashes alone would believe each of these."""
    leaf, sibling = LEAVES[:2]
    root = {size: mth(LEAVES[:size]) for size in (1, 2, 4)}
    from_two_to_four = rfc_subproof(2, LEAVES[:4], whole=True)

    assert not verify_inclusion(0, 1, leaf, [sibling], node_hash(sibling, leaf))
    assert not verify_inclusion(0, 4, leaf, [sibling], root[2])
    assert not verify_consistency(2, 8, root[2], root[4], from_two_to_four)
    assert not verify_consistency(1, 2, root[1], root[4], rfc_subproof(1, LEAVES[:4], whole=True))
    # To the left of the root of size 3: what a path would have to hash on both sides at once.
    past_the_root = [LEAVES[2], sibling, node_hash(leaf, sibling), leaf]
    old_root = node_hash(leaf, node_hash(node_hash(leaf, sibling), LEAVES[2]))
    new_root = node_hash(leaf, node_hash(node_hash(leaf, sibling), node_hash(LEAVES[2], sibling)))
    assert not verify_consistency(3, 4, old_root, new_root, past_the_root)


def test_hashes_of_other_lengths_prove_nothing_though_they_join_to_the_same_bytes() -> None:
    leaf, sibling = LEAVES[:2]
    root = node_hash(leaf, sibling)

    assert verify_inclusion(0, 2, leaf, [sibling], root)
    assert not verify_inclusion(0, 2, leaf + sibling[:1], [sibling[1:]], root)
    assert verify_consistency(1, 2, leaf, root, [sibling])
    assert not verify_consistency(1, 2, leaf + sibling[:1], root, [sibling[1:]])
