"""Breaks of ``SqliteStorage``."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters._sqlite import commits
from hotswap_adapters._sqlite.database import READERS, Database
from hotswap_adapters.storage import sqlite
from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
from hotswap_ports import Conflict, StoredValue
from tests.contract import test_storage
from tests.contract.breaks import Breaks, around, edit
from tests.contract.database_breaks import cancelled_together

breaks = Breaks(test_storage.TestSqliteStorage)


def _columns(patch: pytest.MonkeyPatch, old: str, new: str) -> None:
    (table,) = sqlite.SCHEMA.statements
    assert old in table
    patch.setattr(sqlite, "SCHEMA", evolve(sqlite.SCHEMA, statements=(table.replace(old, new),)))


@breaks.noticed_by("test_what_was_put_comes_back")
def stale_read(patch: pytest.MonkeyPatch) -> None:
    """What was read once is read again, whatever was put since."""
    seen: dict[str, StoredValue] = {}

    @around(patch, SqliteStorage, "read")
    async def read(whole: Any, self: SqliteStorage, key: str) -> StoredValue | None:
        stored = seen.get(key) or await whole(self, key)
        if stored is not None:
            seen[key] = stored
        return stored


@breaks.noticed_by("test_what_was_put_comes_back")
def empty_is_nothing(patch: pytest.MonkeyPatch) -> None:
    """An empty value is read as none at all."""
    edit(patch, SqliteStorage, "read", {"if row is None": "if row is None or not row[0]"})


@breaks.noticed_by("test_what_was_put_comes_back")
def empty_does_not_exist(patch: pytest.MonkeyPatch) -> None:
    """A key whose value is empty is said not to exist."""
    edit(patch, SqliteStorage, "exists", {"return await": "return bool(await self.get(key)) and await"})


@breaks.noticed_by("test_what_was_put_comes_back")
def views_are_handed_out(patch: pytest.MonkeyPatch) -> None:
    """A value is read as a memoryview, which equals the bytes and is none."""
    edit(patch, SqliteStorage, "read", {"StoredValue(key, row[0],": "StoredValue(key, memoryview(row[0]),"})


@breaks.noticed_by("test_what_was_put_comes_back")
def cut_values(patch: pytest.MonkeyPatch) -> None:
    """Of a large value the end is lost."""
    edit(patch, SqliteStorage, "put", {"data = bytes(value)": "data = bytes(value)[:99_999]"})


@breaks.noticed_by("test_what_is_missing_is_none")
def always_deleted(patch: pytest.MonkeyPatch) -> None:
    """A delete says that the key was there, whether it was or not."""
    edit(patch, SqliteStorage, "delete", {".rowcount > 0": ".rowcount >= 0"})


@breaks.noticed_by("test_a_version_is_never_used_twice")
def versions_used_again(patch: pytest.MonkeyPatch) -> None:
    """The version of a deleted value is given to the next one."""
    _columns(patch, " AUTOINCREMENT", "")


@breaks.noticed_by("test_a_version_is_never_used_twice")
def same_value_same_version(patch: pytest.MonkeyPatch) -> None:
    """A put of what is there already stores nothing, and returns the version that is there."""

    @around(patch, SqliteStorage, "put")
    async def put(whole: Any, self: SqliteStorage, key: str, value: bytes, *, expect: int | None = None) -> int:
        stored = await self.read(key)
        if stored is not None and stored.value == value and expect is None:
            return stored.version
        version: int = await whole(self, key, value, expect=expect)
        return version


@breaks.noticed_by("test_modified_is_the_time_of_the_put")
def naive_time(patch: pytest.MonkeyPatch) -> None:
    """``modified`` has no time zone."""
    edit(patch, SqliteStorage, "read", {"_EPOCH +": "_EPOCH.replace(tzinfo=None) +"})


@breaks.noticed_by("test_modified_is_the_time_of_the_put")
def first_time_kept(patch: pytest.MonkeyPatch) -> None:
    """``modified`` is the time of the key's first put."""
    then = (datetime.now(UTC) - sqlite._EPOCH).total_seconds()
    edit(patch, SqliteStorage, "read", {"timedelta(microseconds=row[2])": f"timedelta(seconds={then})"})


@breaks.noticed_by("test_reading_changes_nothing")
def time_of_reading(patch: pytest.MonkeyPatch) -> None:
    """``modified`` is the time of the read."""
    edit(patch, SqliteStorage, "read", {"_EPOCH + timedelta(microseconds=row[2])": "datetime.now(UTC)"})


@breaks.noticed_by("test_reading_changes_nothing")
def reading_counts(patch: pytest.MonkeyPatch) -> None:
    """To ask for a key puts its value back, under a new version."""

    @around(patch, SqliteStorage, "exists")
    async def exists(whole: Any, self: SqliteStorage, key: str) -> bool:
        value = await self.get(key)
        return value is not None and await self.put(key, value) > 0


@breaks.noticed_by("test_a_change_leaves_other_keys_alone")
def deleted_with_what_is_below(patch: pytest.MonkeyPatch) -> None:
    """A delete takes the keys with it that begin like the one."""
    query = '"DELETE FROM entries WHERE key = ?", (key,)'
    edit(patch, SqliteStorage, "delete", {query: '"DELETE FROM entries WHERE key GLOB ?", (f"{key}*",)'})


@breaks.noticed_by("test_a_put_may_expect_a_version")
def expectations_unchecked(patch: pytest.MonkeyPatch) -> None:
    """The version that is expected is not looked at."""
    patch.setattr(sqlite, "_check_version", lambda connection, key, expect: None)


@breaks.noticed_by("test_a_put_may_expect_a_version")
def zero_is_any(patch: pytest.MonkeyPatch) -> None:
    """To expect 0 is taken for expecting nothing."""
    edit(patch, sqlite, "_check_version", {"if expect is not None and": "if expect and"})


@breaks.noticed_by("test_a_put_may_expect_a_version")
def stored_in_spite_of_the_conflict(patch: pytest.MonkeyPatch) -> None:
    """A put that raises a conflict has stored its value."""
    edit(patch, commits, "transaction", {'"ROLLBACK"': '"COMMIT"'})
    edit(patch, commits.Commits, "run", {"len(jobs) > 1 and": "False and"})
    insert = "        return connection.execute(statement, (key, modified, data)).lastrowid or 0"
    check = "_check_version(connection, key, expect)"
    late = f"        made = connection.execute(statement, (key, modified, data))\n        {check}"
    edit(patch, SqliteStorage, "put", {check: "pass", insert: late + "\n        return made.lastrowid"})


@breaks.noticed_by("test_a_delete_may_expect_a_version")
def deleted_whatever_is_expected(patch: pytest.MonkeyPatch) -> None:
    """A delete does not look at the version that is expected."""
    edit(patch, SqliteStorage, "delete", {"_check_version(connection, key, expect)": "pass"})


@breaks.noticed_by("test_a_delete_may_expect_a_version")
def conflicts_that_name_the_wrong_version(patch: pytest.MonkeyPatch) -> None:
    """A conflict says that what was expected was there."""
    edit(patch, sqlite, "_check_version", {"Conflict(key, expect, actual)": "Conflict(key, actual, expect)"})


@breaks.noticed_by("test_of_many_at_once_one_wins")
def checked_before_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """The version is checked, and the value put a moment later."""

    @around(patch, SqliteStorage, "put")
    async def put(whole: Any, self: SqliteStorage, key: str, value: bytes, *, expect: int | None = None) -> Any:
        await self._open_file.read(lambda connection: sqlite._check_version(connection, key, expect))
        return await whole(self, key, value)


@breaks.noticed_by("test_what_is_read_is_one_put")
def read_in_two_steps(patch: pytest.MonkeyPatch) -> None:
    """The value is read in one query, and its version in the next."""

    @around(patch, SqliteStorage, "read")
    async def read(whole: Any, self: SqliteStorage, key: str) -> StoredValue | None:
        first = await whole(self, key)
        again = await whole(self, key)
        return None if first is None or again is None else evolve(first, version=again.version)


@breaks.noticed_by("test_keys_are_any_text")
def folded_keys(patch: pytest.MonkeyPatch) -> None:
    """Keys differ in more than case, or they are one."""
    _columns(patch, "key TEXT NOT NULL UNIQUE", "key TEXT NOT NULL UNIQUE COLLATE NOCASE")


@breaks.noticed_by("test_a_bad_key_is_an_invalid_request")
def foreign_error(patch: pytest.MonkeyPatch) -> None:
    """A bad key is a ValueError."""

    def check_key(key: str) -> str:
        if not 0 < len(key.encode()) <= 1024 or "\0" in key:
            raise ValueError(key)
        return key

    patch.setattr(sqlite, "check_key", check_key)


@breaks.noticed_by("test_a_bad_key_is_an_invalid_request")
def keys_counted_in_characters(patch: pytest.MonkeyPatch) -> None:
    """A key has up to 1,024 characters, not bytes."""
    edit(patch, sqlite, "check_key", {"size = len(key.encode())": "size = len(key) + 0 * len(key.encode())"})


@breaks.noticed_by("test_a_value_that_is_no_bytes_is_an_invalid_request")
def text_encoded_on_the_quiet(patch: pytest.MonkeyPatch) -> None:
    """A text is stored as its UTF-8."""
    start = "check_key(key)"
    edit(patch, SqliteStorage, "put", {start: f"{start}; value = value.encode() if isinstance(value, str) else value"})


@breaks.noticed_by("test_a_value_is_a_copy")
def shared_buffer(patch: pytest.MonkeyPatch) -> None:
    """What was put last is kept at hand, the caller's own buffer and no copy."""
    kept: dict[str, bytes] = {}

    @around(patch, SqliteStorage, "put")
    async def put(whole: Any, self: SqliteStorage, key: str, value: bytes, *, expect: int | None = None) -> Any:
        kept[key] = value
        return await whole(self, key, value, expect=expect)

    @around(patch, SqliteStorage, "read")
    async def read(whole: Any, self: SqliteStorage, key: str) -> Any:
        return evolve(await whole(self, key), value=bytes(kept[key]))


@breaks.noticed_by("test_a_value_over_the_limit_is_too_large")
def any_size(patch: pytest.MonkeyPatch) -> None:
    """The limit that ``features`` names is not kept."""
    edit(patch, SqliteStorage, "put", {"len(data) > self._largest": "False"})


@breaks.noticed_by("test_a_value_over_the_limit_is_too_large")
def one_byte_too_strict(patch: pytest.MonkeyPatch) -> None:
    """A value of exactly the most bytes is too large."""
    edit(patch, SqliteStorage, "put", {"len(data) > self._largest": "len(data) >= self._largest"})


@breaks.noticed_by("test_list_sorts_by_code_points")
def keys_as_they_came(patch: pytest.MonkeyPatch) -> None:
    """Keys are listed in the order of their puts."""
    edit(patch, SqliteStorage, "list", {"ORDER BY key": "ORDER BY version"})


@breaks.noticed_by("test_list_sorts_by_code_points")
def sorted_by_utf_16(patch: pytest.MonkeyPatch) -> None:
    """Keys are sorted by UTF-16 code units: astral characters before the private use area."""
    row = "row[0] for row in rows[:limit]"
    order = "key=lambda each: each.encode('utf-16-be')"
    edit(patch, SqliteStorage, "list", {f"tuple({row})": f"tuple(sorted(({row}), {order}))"})


@breaks.noticed_by("test_list_takes_a_prefix")
def everything_after_the_prefix(patch: pytest.MonkeyPatch) -> None:
    """What comes after the prefix is listed, whether it begins with it or not."""
    patch.setattr(sqlite, "_after_prefix", lambda prefix: None)


@breaks.noticed_by("test_list_takes_a_prefix")
def prefix_before_the_surrogates(patch: pytest.MonkeyPatch) -> None:
    """A prefix that ends right before the surrogates is an error."""
    edit(patch, sqlite, "_after_prefix", {"0xE000 if following == 0xD800 else following": "following"})


@breaks.noticed_by("test_list_takes_a_prefix")
def prefix_with_wildcards(patch: pytest.MonkeyPatch) -> None:
    """In a prefix, stars stand for any text."""
    patch.setattr(sqlite, "_after_prefix", lambda prefix: None)
    edit(patch, SqliteStorage, "list", {'"key >= ?"], [prefix]': '"key GLOB ?"], [f"{prefix}*"]'})


@breaks.noticed_by("test_list_comes_in_pages")
def one_key_too_many(patch: pytest.MonkeyPatch) -> None:
    """A page has one key more than its limit."""
    edit(patch, SqliteStorage, "list", {"rows[:limit]": "rows"})


@breaks.noticed_by("test_list_comes_in_pages")
def page_begins_with_the_last_key(patch: pytest.MonkeyPatch) -> None:
    """``after`` is listed again."""
    edit(patch, SqliteStorage, "list", {"key > ?": "key >= ?"})


@breaks.noticed_by("test_list_comes_in_pages")
def no_last_page(patch: pytest.MonkeyPatch) -> None:
    """The last page says that there is another one when it is full."""
    edit(patch, SqliteStorage, "list", {"if len(rows) > limit else": "if len(rows) >= limit else"})


@breaks.noticed_by("test_list_comes_in_pages")
def no_very_large_page(patch: pytest.MonkeyPatch) -> None:
    """A limit that SQLite cannot count to is an OverflowError."""
    edit(patch, SqliteStorage, "list", {"min(limit, _MOST_ROWS) + 1": "limit + 1"})


@breaks.noticed_by("test_a_bad_page_is_an_invalid_request")
def no_page_at_all(patch: pytest.MonkeyPatch) -> None:
    """A limit of 0 gives an empty page."""
    edit(patch, SqliteStorage, "list", {"limit < 1": "limit < 0"})


@breaks.noticed_by("test_json_comes_back")
def escaped_json(patch: pytest.MonkeyPatch) -> None:
    """JSON is stored in ASCII, as Python writes it by default."""

    @around(patch, SqliteStorage, "put_json")
    async def put_json(whole: Any, self: SqliteStorage, key: str, value: Any, *, expect: int | None = None) -> int:
        return await self.put(key, json.dumps(value).encode(), expect=expect)


@breaks.noticed_by("test_what_has_no_json_form_is_an_invalid_request")
def nan_is_stored(patch: pytest.MonkeyPatch) -> None:
    """NaN is written as Python does, which no other reader of JSON takes."""
    edit(patch, SqliteStorage, "put_json", {"allow_nan=False": "allow_nan=True"})


@breaks.noticed_by("test_bytes_that_are_no_json_are_invalid_content")
def json_error_of_python(patch: pytest.MonkeyPatch) -> None:
    """Bytes that are no JSON are a ValueError."""
    edit(patch, SqliteStorage, "get_json", {"except ValueError as": "except LookupError as"})


@breaks.noticed_by("test_any_calls_in_any_order_do_what_a_dict_would")
def deleted_keys_are_not_free(patch: pytest.MonkeyPatch) -> None:
    """A key that was deleted is there for those who expect it not to be."""
    gone: set[str] = set()

    @around(patch, SqliteStorage, "delete")
    async def delete(whole: Any, self: SqliteStorage, key: str, *, expect: int | None = None) -> Any:
        deleted = await whole(self, key, expect=expect)
        if deleted:
            gone.add(key)
        return deleted

    @around(patch, SqliteStorage, "put")
    async def put(whole: Any, self: SqliteStorage, key: str, value: bytes, *, expect: int | None = None) -> Any:
        if expect == 0 and key in gone:
            raise Conflict(key, 0, 1)
        return await whole(self, key, value, expect=expect)


@breaks.noticed_by("test_a_cancelled_put_happened_or_did_not")
def torn_put(patch: pytest.MonkeyPatch) -> None:
    """The old value goes before the new one comes: a cancelled put leaves nothing."""

    @around(patch, SqliteStorage, "put")
    async def put(whole: Any, self: SqliteStorage, key: str, value: bytes, *, expect: int | None = None) -> Any:
        if expect is None:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                connection.execute("DELETE FROM entries WHERE key = ?", (key,))
            await asyncio.sleep(0)
        return await whole(self, key, value, expect=expect)


breaks.noticed_by("test_a_cancelled_call_takes_no_other_with_it")(cancelled_together)


@breaks.noticed_by("test_what_was_stored_is_there_after_a_restart")
def gone_when_closed(patch: pytest.MonkeyPatch) -> None:
    """What was stored goes with the storage that stored it."""

    @around(patch, SqliteStorage, "__aexit__")
    async def leave(whole: Any, self: SqliteStorage, *exc_info: object) -> None:
        await whole(self, *exc_info)
        for each in Path(self._path).parent.glob("data.db*"):
            each.unlink()


@breaks.noticed_by("test_what_was_acknowledged_survives_a_hard_end")
def written_when_closed(patch: pytest.MonkeyPatch) -> None:
    """What was put is written when the storage is closed."""

    @around(patch, SqliteStorage, "__init__")
    def init(whole: Any, self: SqliteStorage, config: SqliteStorageConfig) -> None:
        whole(self, evolve(config, path=str(Path(config.path).parent / "work" / "data.db")))

    @around(patch, SqliteStorage, "__aexit__")
    async def leave(whole: Any, self: SqliteStorage, *exc_info: object) -> None:
        await whole(self, *exc_info)
        Path(self._path).rename(Path(self._path).parents[1] / "data.db")


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def held_loop(patch: pytest.MonkeyPatch) -> None:
    """A put waits for the disk on the event loop."""

    @around(patch, SqliteStorage, "put")
    async def put(whole: Any, self: SqliteStorage, key: str, value: bytes, *, expect: int | None = None) -> Any:
        time.sleep(0.3)
        return await whole(self, key, value, expect=expect)


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def a_thread_each_read(patch: pytest.MonkeyPatch) -> None:
    """Each read has threads of its own, which stay."""
    kept: list[ThreadPoolExecutor] = []

    @around(patch, Database, "read")
    async def read(whole: Any, self: Database, work: Any) -> Any:
        kept.append(self._readers)
        self._readers = ThreadPoolExecutor(READERS)
        return await whole(self, work)
