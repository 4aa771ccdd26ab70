"""The settings of one plugin: layers, defaults, types, secrets, and what is wrong with them."""

from __future__ import annotations

import copy
import enum
import gc
import http.server
import threading
import weakref
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from hotswap.config import Config, effective_config, structure_config
from hotswap.errors import ConfigInvalid, ManifestInvalid
from hotswap.manifest import ConfigSpec, Manifest
from hotswap.manifest.reader import parse_manifest
from hotswap.manifest.secret_names import masked_text
from hotswap.manifest.settings_schema import problems_of_schema

HEAD = '[plugin]\nid = "gauge"\nname = "Gauge"\nversion = "1.0.0"\ntype = "utility"\nhotswap.min_version = "0.1.0"\n'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["api_key"],
    "properties": {
        "api_key": {"type": "string"},
        "pin": {"type": "integer", "writeOnly": True},
        "door": {"type": "string", "format": "password"},
        "port": {"type": "integer", "default": 80, "maximum": 65535},
        "max_tokens": {"type": "integer", "default": 500},
        "database": {"type": "string"},
        "hosts": {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]},
        "tide": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "station": {"type": "string", "default": "north"},
                "levels": {"type": "array", "items": {"$ref": "#/$defs/level"}},
            },
        },
        "login": {"type": "object", "required": ["user"], "properties": {"user": {}, "realm": {"default": "sea"}}},
    },
    "$defs": {"level": {"type": "object", "properties": {"unit": {"default": "cm"}}}},
}
VARIABLES = {"api_key": "GAUGE_KEY", "port": "GAUGE_PORT", "tide.station": "GAUGE_STATION", "hosts": "GAUGE_HOSTS"}


def manifest(schema: dict[str, Any], variables: dict[str, str] | None = None) -> Manifest:
    return attrs.evolve(parse_manifest(HEAD), config=ConfigSpec(schema, variables or {}))


def effective(given: dict[str, Any], environ: dict[str, str] | None = None, schema: dict[str, Any] = SCHEMA) -> Config:
    return effective_config(manifest(schema, VARIABLES if schema is SCHEMA else {"x": "X"}), given, environ or {})


def problems(
    given: dict[str, Any], environ: dict[str, str] | None = None, schema: dict[str, Any] = SCHEMA
) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        effective(given, environ, schema)
    assert caught.value.plugin == "gauge"
    return list(caught.value.problems)


def test_defaults_are_filled_in_to_the_depth() -> None:
    """Defaults stand in for what is absent: in tables, in tables within lists, and in tables that they complete."""
    config = effective({"api_key": "k", "tide": {"levels": [{}, {"unit": "in"}]}})
    assert config.get("port") == 80
    assert config.get("tide.station") == "north"
    assert [each["unit"] for each in config.get("tide.levels")] == ["cm", "in"]
    assert effective({"api_key": "k"}).get("tide.station") == "north"
    assert "login" not in config  # its defaults alone would leave it without the user that it requires
    assert effective({"api_key": "k", "login": {"user": "u"}}).get("login.realm") == "sea"


def test_neither_the_settings_nor_the_schema_are_changed() -> None:
    """What came in is as it was, also after the result's copy was changed."""
    given = {"api_key": "k", "tide": {}}
    before = copy.deepcopy((given, SCHEMA))
    effective(given).to_dict()["hosts"].append("c")
    assert (given, SCHEMA) == before


def test_the_environment_wins_over_the_file_and_the_file_over_defaults() -> None:
    """One setting from each layer; a variable reaches into a table, and an empty one counts as not set."""
    config = effective(
        {"api_key": "file", "port": 81, "hosts": ["f"]},
        {"GAUGE_KEY": "env", "GAUGE_STATION": "south", "GAUGE_PORT": "", "OTHER": "x"},
    )
    assert (config["api_key"], config["port"], config.get("tide.station")) == ("env", 81, "south")


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "12", 12),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "off", False),
        ({"type": "string"}, "12", "12"),
        ({}, "12", "12"),
        ({"type": ["integer", "string"]}, "12", 12),
        ({"type": ["integer", "string"]}, "many", "many"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "2", 2.0),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": "a"}, "a", "a"),
        ({"type": "array", "items": {"type": "integer"}}, "1, 2", (1, 2)),
        ({"type": "array"}, '["a,b", 1]', ("a,b", 1)),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"$ref": "#/$defs/x"}, "3", 3),
    ],
)
def test_a_variable_is_read_as_the_type_of_its_setting(schema: dict[str, Any], text: str, value: Any) -> None:
    """The text of a variable becomes what the schema asks for; without a type it stays a text."""
    root = {"properties": {"x": schema}, "$defs": {"x": {"type": "integer"}}}
    assert effective({}, {"X": text}, root)["x"] == value


@pytest.mark.parametrize(
    ("schema", "text", "wanted"),
    [
        ({"type": "integer"}, "hunter2", "a whole number"),
        ({"type": "number"}, "inf", "a number"),
        ({"type": "boolean"}, "hunter2", "true or false"),
        ({"type": "array", "items": {"type": "integer"}}, "1,hunter2", "a list (a,b,c or JSON)"),
        ({"type": "object"}, "[1]", "a table (in JSON)"),
        ({"type": "object"}, '{"a":' * 100_000, "a table (in JSON)"),
        ({"type": ["integer", "boolean"]}, "hunter2", "a whole number or true or false"),
        ({"type": "null"}, "hunter2", "of a known type"),
    ],
)
def test_a_variable_of_another_type_is_named_and_not_shown(schema: dict[str, Any], text: str, wanted: str) -> None:
    """The problem names the variable and the setting; the text, maybe a secret, is not repeated."""
    assert problems({}, {"X": text}, {"properties": {"x": schema}}) == [
        f"the environment variable X is not {wanted} @ $.x"
    ]


def test_every_problem_comes_at_once_without_a_value() -> None:
    """Types, ranges, missing and unknown settings are all listed with their paths, and no value is among them."""
    found = problems({"prot": "hunter2", "port": 70000, "hosts": "hunter2", "tide": {"stations": "hunter2"}})
    assert sorted(found) == sorted(
        [
            "unknown setting 'prot'. Did you mean 'port'? @ $.prot",
            "is missing; the environment variable GAUGE_KEY may hold it @ $.api_key",
            "the value is greater than the maximum of 65535 @ $.port",
            'the value is not of type "array" @ $.hosts',
            "unknown setting 'stations'. Did you mean 'station'? @ $.tide.stations",
        ]
    )
    assert "hunter2" not in str(found)


def test_a_text_in_the_place_of_a_table_is_a_problem_of_the_schema() -> None:
    """A variable that reaches into a table does not hide that the file has a text there."""
    assert problems({"api_key": "k", "tide": "x"}, {"GAUGE_STATION": "s"}) == [
        'the value is not of type "object" @ $.tide'
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"properties": {"a": {}}, "additionalProperties": True},
        {"properties": {"a": {}}, "patternProperties": {"^b": {}}},
        {"properties": {"a": {}}, "unevaluatedProperties": {}},
    ],
)
def test_a_schema_that_takes_other_settings_takes_them(schema: dict[str, Any]) -> None:
    """Without properties, or where the schema speaks of others itself, an unknown setting is no mistake."""
    assert effective({"b": 1}, schema=schema)["b"] == 1


def test_settings_of_branches_are_known() -> None:
    """A setting that only allOf, anyOf, if or dependentSchemas speak of is not unknown."""
    schema = {
        "allOf": [{"properties": {"a": {"default": 1}}}],
        "anyOf": [{"properties": {"b": {}}}],
        "if": {"properties": {"c": {}}},
        "then": {"properties": {"d": {}}},
        "dependentSchemas": {"a": {"properties": {"e": {}}}},
    }
    config = effective({"b": 1, "c": 1, "d": 1, "e": 1}, schema=schema)
    assert config["a"] == 1
    assert problems({"f": 1}, schema=schema) == ["unknown setting 'f'. Known settings: a, b, c, d, e. @ $.f"]


def test_what_json_cannot_say_is_a_problem() -> None:
    """A date, an infinite number and a bottomless list are problems of the settings, not errors of a library."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert problems({"a": float("inf")}) == ["a number has no place in JSON @ $.a"]
    assert problems({"a": object()}) == ["something of the type object has no place in JSON @ $.a"]
    assert problems({"a": deep})[0].startswith("more than 32 tables and lists are nested here")


def test_defaults_without_end_are_refused() -> None:
    """A schema whose defaults double at each level is a problem, not a machine out of memory."""
    level = {
        f"d{n}": {"properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}, "b": {"$ref": f"#/$defs/d{n + 1}"}}}
        for n in range(20)
    }
    schema = {"$defs": {**level, "d20": {"default": 1}}, "properties": {"x": {"$ref": "#/$defs/d0"}}}
    assert problems({}, schema=schema) == ["its defaults come to more than 10000 values @ $"]
    assert [p.path for p in problems_of_schema(schema, "$")] == ["$"]


def test_a_schema_that_contains_itself_is_filled_in_as_far_as_the_settings_go() -> None:
    """A recursive schema is no endless loop: defaults go where there are settings, and one level beyond."""
    node = {"properties": {"size": {"default": 1}, "child": {"$ref": "#/$defs/node"}}}
    schema = {"$defs": {"node": node}, "properties": {"tree": {"$ref": "#/$defs/node"}}}
    assert effective({"tree": {"child": {"child": {}}}}, schema=schema).get("tree.child.child.size") == 1
    assert effective({}, schema=schema).to_dict() == {"tree": {"size": 1}}
    for odd in ({"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"properties": {"x": {"$ref": "#/$defs/no"}}}):
        list(problems_of_schema(odd, "$"))


def test_a_reference_is_never_fetched() -> None:
    """A schema that refers to a server is refused, and the server sees no request."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(404)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/schema.json"
        try:
            with pytest.raises(ManifestInvalid, match="nothing is fetched"):
                parse_manifest(f'{HEAD}[plugin.config.schema]\nproperties.a = {{ "$ref" = "{address}" }}\n')
        finally:
            server.shutdown()
            thread.join()
    assert seen == []


def test_no_secret_shows() -> None:
    """Secrets by schema and by name are masked in repr, str and masked; what is none stays readable."""
    config = effective(
        {"api_key": "s3cret", "pin": 1234, "door": "s3cret", "database": "postgres://me:s3cret@db.example.org/x"},
    )
    for text in (repr(config), str(config), f"{config}", str(config.masked())):
        assert "s3cret" not in text
        assert "1234" not in text
    masked = config.masked()
    assert masked["max_tokens"] == 500
    assert masked["database"] == "postgres://me:***@db.example.org/x"
    assert masked["tide"] == {"station": "north"}
    assert config["api_key"] == "s3cret"
    assert config.redact("no s3cret, no 1234") == "no ***, no ***"


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("token", "x", True),
        ("accessToken", "x", True),
        ("API_KEYS", ["x"], True),
        ("client_secret", {"a": "x"}, True),
        ("db_password", 7, True),
        ("Credentials", "x", True),
        ("auth", "x", True),
        ("api_key", "", False),
        ("api_key", None, False),
        ("use_token", True, False),
        ("token_budget", 9, False),
        ("keyId", "x", False),
        ("accessKeyId", "x", True),
        ("keywords", "x", False),
        ("author", "x", False),
        ("tokenizer", "x", False),
        ("station", "x", False),
    ],
)
def test_names_tell_secrets(name: str, value: Any, hidden: bool) -> None:
    """Names of secrets are known by their parts; an empty secret, a number of tokens and a keyword are shown."""
    assert (Config({name: value}).masked()[name] == "***") is hidden


def test_an_address_keeps_the_secrets_of_its_query() -> None:
    """A key among an address's parameters is masked and found; other parameters, and texts that are none, show."""
    text, found = masked_text("https://user:pw1@host/v1?page=2&api_key=k123&access_token=t456#top")
    assert text == "https://user:***@host/v1?page=2&api_key=***&access_token=***#top"
    assert found == {"pw1", "k123", "t456"}
    assert masked_text("really?token=yes") == ("really?token=yes", set())


def test_a_list_within_a_secret_is_secret() -> None:
    """What stands below a secret setting is masked with it, and redacted from texts."""
    config = Config({"secret": {"parts": ["alpha", {"x": "beta"}]}, "plain": [{"password": "gamma"}, "delta"]})
    assert config.masked() == {"secret": "***", "plain": [{"password": "***"}, "delta"]}
    assert config.redact("alpha beta gamma delta") == "*** *** *** delta"
    assert "alpha" not in repr(config["secret"]["parts"][1])


def test_settings_are_read_only_to_the_depth() -> None:
    """Nothing that a plugin gets from its settings can change them."""
    config = effective({"api_key": "k"})
    with pytest.raises(TypeError):
        config["port"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        config["tide"]["station"] = "x"
    assert config["hosts"] == ("a", "b")
    config.masked()["hosts"].append("c")
    assert config["hosts"] == ("a", "b")
    assert len(config) == len(list(config))


def test_get_takes_dotted_names() -> None:
    """A dotted name reaches into tables, an exact name goes first, and a missing one is the default."""
    config = Config({"a": {"b": {"c": 1}}, "a.b": 2})
    assert config.get("a.b") == 2
    assert config.get("a.b.c") == 1
    assert config.get("a.x.c", 3) == 3
    assert config.get("a.b.c.d") is None


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Inner:
    size: int
    rate: float = 1.0


def _short(_: object, attribute: object, value: str) -> None:
    if len(value) > 5:
        raise ValueError(f"{value} is too long")


@attrs.frozen
class Wanted:
    key: str = attrs.field(repr=False, validator=_short)
    inner: Inner
    inners: tuple[Inner, ...] = ()
    names: list[str] = attrs.field(factory=list)
    tags: frozenset[str] = frozenset()
    table: dict[str, int] = attrs.field(factory=dict)
    mode: Literal["fast", "slow"] = "fast"
    colour: Colour = Colour.RED
    folder: Path = Path()
    limit: int | None = None
    either: str | int = 0
    maybe: Inner | None = None
    pair: tuple[str, int] = ("", 0)
    flag: bool = False
    anything: Any = None


def test_settings_are_structured_into_an_attrs_class() -> None:
    """Every kind of field that a plugin's settings class may have is filled."""
    config = Config(
        {
            "key": "k", "inner": {"size": 1, "rate": 2}, "inners": [{"size": 2}], "names": ["a"], "tags": ["t"],
            "table": {"x": 1}, "mode": "slow", "colour": "blue", "folder": "data", "limit": 3, "either": "e",
            "maybe": {"size": 4}, "pair": ["p", 5], "flag": True, "anything": {"a": [1]},
        }
    )  # fmt: skip
    assert structure_config(config, Wanted) == Wanted(
        "k", Inner(1, 2.0), (Inner(2),), ["a"], frozenset({"t"}), {"x": 1}, "slow", Colour.BLUE, Path("data"), 3, "e",
        Inner(4), ("p", 5), True, {"a": [1]},
    )  # fmt: skip


def test_settings_of_other_types_are_all_listed() -> None:
    """A text is no boolean, number, list or table, a number is no text: each with its path, no value shown."""
    config = Config(
        {
            "key": 1, "inner": "hunter2", "inners": [{"size": "hunter2"}, {"siz": 1}], "names": "hunter2", "tags": {},
            "table": {"x": "hunter2"}, "mode": "hunter2", "colour": ["hunter2"], "folder": 1, "limit": "hunter2",
            "maybe": {"size": True}, "pair": [1, "hunter2"], "flag": "true", "anythin": 1,
        },
        plugin="gauge",
    )  # fmt: skip
    with pytest.raises(ConfigInvalid) as caught:
        structure_config(config, Wanted)
    found = set(caught.value.problems)
    assert caught.value.plugin == "gauge"
    assert "hunter2" not in str(caught.value)
    assert found >= {
        "expected a text @ $.key",
        "expected a table @ $.inner",
        "expected a whole number @ $.inners[0].size",
        "is missing @ $.inners[1].size",
        "unknown setting 'siz'. Did you mean 'size'? @ $.inners[1]",
        "expected a list @ $.names",
        "expected a list @ $.tags",
        "expected a whole number @ $.table['x']",
        "expected one of fast, slow @ $.mode",
        "expected one of red, blue @ $.colour",
        "expected a text @ $.folder",
        "expected a whole number @ $.maybe.size",
        "expected a text @ $.pair[0]",
        "expected a whole number @ $.pair[1]",
        "expected true or false @ $.flag",
        "unknown setting 'anythin'. Did you mean 'anything'? @ $",
    }
    assert any(problem.endswith("@ $.limit") for problem in found)
    with pytest.raises(ConfigInvalid, match="2 items"):
        structure_config(Config({"key": "k", "inner": {"size": 1}, "pair": [1]}), Wanted)


def test_a_validator_that_quotes_a_secret_is_redacted() -> None:
    """What the settings class says is wrong is passed on without the secret that it repeats."""
    with pytest.raises(ConfigInvalid) as caught:
        structure_config(Config({"key": "hunter2", "inner": {"size": 1}}), Wanted)
    assert list(caught.value.problems) == ["*** is too long @ $"]


def test_a_class_that_was_reloaded_is_let_go() -> None:
    """Structuring keeps no settings class alive, so a plugin's old code can go."""
    cls = attrs.make_class("Temporary", {"size": attrs.field(type=int)}, frozen=True)
    structure_config(Config({"size": 1}), cls)
    gone = weakref.ref(cls)
    del cls
    gc.collect()
    assert gone() is None
