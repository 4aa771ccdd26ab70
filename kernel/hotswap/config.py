"""Settings of one plugin: from hotswap.toml and the environment, held against its schema, secrets masked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from hotswap.errors import ConfigInvalid, nearest
from hotswap.manifest.secret_names import MASK, is_secret, masked_text

if TYPE_CHECKING:
    from hotswap.manifest.model import Manifest

T = TypeVar("T")


class Config(Mapping[str, Any]):
    """The settings that a plugin runs with: read-only to the depth, tables as `Config`, lists as tuples.

    ``repr``, ``str`` and `masked` show ``***`` for a secret: a setting whose schema says ``writeOnly`` or ``format =
    "password"``, or whose name says key, token, secret, password, credential; and for the password within an address.
    """

    __slots__ = ("_masked", "_secrets", "_values", "plugin")

    def __init__(self, values: Mapping[str, Any], *, plugin: str = "", schema: Mapping[str, Any] | None = None) -> None:
        self.plugin = plugin
        """Id of the plugin that these are the settings of; errors name it."""
        root = schema or {}
        self._values, self._masked, secrets = _frozen(values, root, root, plugin)
        self._secrets = tuple(sorted(secrets, key=len, reverse=True))

    @classmethod
    def _nested(cls, values: dict[str, Any], masked: dict[str, Any], secrets: set[str], plugin: str) -> Config:
        config = cls({}, plugin=plugin)
        config._values, config._masked = values, masked
        config._secrets = tuple(sorted(secrets, key=len, reverse=True))
        return config

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Config({self.masked()!r})"

    def get(self, key: str, default: Any = None) -> Any:
        """Return a setting by its name or its dotted name (``limits.rate``); ``default`` where there is none."""
        if key in self._values:
            return self._values[key]
        node: Any = self
        for part in key.split("."):
            if not isinstance(node, Config) or part not in node._values:
                return default
            node = node._values[part]
        return node

    def masked(self) -> dict[str, Any]:
        """Return a copy as plain tables and lists in which no secret stands: for plans, logs and the command line."""
        copy: dict[str, Any] = _plain(self._masked)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Return a copy as plain tables and lists, secrets included."""
        copy: dict[str, Any] = _plain(self._values)
        return copy

    def redact(self, text: str) -> str:
        """Return ``text``, such as another library's error, with every secret of these settings replaced by ``***``."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


def _frozen(
    values: Mapping[str, Any], schema: Any, root: Mapping[str, Any], plugin: str, hidden: bool = False
) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
    """Return ``values`` made read-only, the same masked, and the texts that are secret."""
    if not values:
        return {}, {}, set()
    from hotswap.manifest.settings_schema import property_of

    frozen, masked, secrets = {}, {}, set()
    for name, value in values.items():
        below = property_of(schema, name, root) or {}
        frozen[name], masked[name], found = _frozen_value(value, name, below, root, plugin, hidden)
        secrets |= found
    return frozen, masked, secrets


def _frozen_value(
    value: Any, name: str, schema: Mapping[str, Any], root: Mapping[str, Any], plugin: str, hidden: bool
) -> tuple[Any, Any, set[str]]:
    hidden = hidden or is_secret(name, schema, value)
    if isinstance(value, Mapping):
        frozen, masked, secrets = _frozen(value, schema, root, plugin, hidden)
        config = Config._nested(frozen, masked, secrets, plugin)
        return config, (MASK if hidden and value else masked), secrets
    if isinstance(value, (list, tuple)):
        items = schema.get("items", {})
        parts = [
            _frozen_value(each, name, items if isinstance(items, Mapping) else {}, root, plugin, hidden)
            for each in value
        ]
        secrets = {text for _, _, found in parts for text in found}
        return tuple(f for f, _, _ in parts), (MASK if hidden and value else [m for _, m, _ in parts]), secrets
    if hidden and value not in (None, ""):
        return value, MASK, {str(value)}
    if isinstance(value, str):
        shown, inside = masked_text(value)
        return value, shown, inside
    return value, value, set()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def effective_config(manifest: Manifest, given: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """Return the settings that a plugin runs with: the environment over ``given`` over the schema's defaults.

    ``given`` is ``[config.<id>]`` of hotswap.toml; of ``environ`` only the variables count that the manifest's
    ``env_vars`` name, and an empty one counts as not set. The first level of a schema with properties is closed unless
    it says otherwise: a setting that it does not have is a mistake (tables within it keep to JSON Schema, where they
    are open). Without a schema everything is taken. Raises ``ConfigInvalid`` with every problem and no value.
    """
    schema = manifest.config.schema
    if not (given or schema or manifest.config.env_vars):
        return Config({}, plugin=manifest.id)
    from hotswap.manifest.settings_schema import SchemaTooLarge, problems_of_data, with_defaults

    unfit = [str(problem) for problem in problems_of_data(given, "$")]
    if unfit:
        raise ConfigInvalid(manifest.id, unfit)
    values = _plain(given)
    problems = list(_from_environment(manifest, values, environ))
    try:
        filled = with_defaults(schema, values)
    except SchemaTooLarge as error:
        raise ConfigInvalid(manifest.id, [f"{error} @ $"]) from error
    problems += _problems(manifest, filled)
    if problems:
        raise ConfigInvalid(manifest.id, problems)
    return Config(filled, plugin=manifest.id, schema=schema)


def _from_environment(manifest: Manifest, values: dict[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    """Put what the environment says into ``values``; yield what cannot be read as the setting's type."""
    from hotswap.manifest.env_values import EnvValueInvalid, read_env_value
    from hotswap.manifest.settings_schema import properties_at

    schema = manifest.config.schema
    for setting, variable in manifest.config.env_vars.items():
        if not (text := environ.get(variable, "")):
            continue
        try:
            value = read_env_value(text, properties_at(schema, setting) or {}, schema)
        except EnvValueInvalid as error:
            yield f"the environment variable {variable} is not {error.wanted} @ $.{setting}"
            continue
        *tables, name = [setting] if setting in schema.get("properties", {}) else setting.split(".")
        node: Any = values
        for table in tables:
            node = node.setdefault(table, {}) if isinstance(node, dict) else None
        if isinstance(node, dict):  # where a text stands in a table's place, the schema's complaint is the one to show
            node[name] = value


def _problems(manifest: Manifest, values: Mapping[str, Any]) -> Iterator[str]:
    from hotswap.manifest.problems import below, shown
    from hotswap.manifest.settings_schema import names_if_closed, problems_of_values

    schema, variables = manifest.config.schema, manifest.config.env_vars
    names = names_if_closed(schema)
    for name in values if names else ():
        if name not in names:
            hint = nearest(name[:60], names) or f"Known settings: {', '.join(sorted(names))}."
            yield f"unknown setting {shown(name)}. {hint} @ {below('$', name)}"
    for problem in problems_of_values(schema, values, closed=bool(names)):
        variable = variables.get(problem.path.removeprefix("$."), "")
        also = (
            f"; the environment variable {variable} may hold it"
            if variable and problem.sentence == "is missing"
            else ""
        )
        yield f"{problem.sentence}{also} @ {problem.path}"


def structure_config(config: Config, cls: type[T]) -> T:
    """Return ``config`` as an instance of the attrs class ``cls``, by the constructor parameter of a plugin.

    Types are held to strictly: a text is no number. Fields may be attrs classes, lists, tuples, sets, tables,
    ``Literal``, ``Enum``, ``Path`` or optional. Raises ``ConfigInvalid`` with every problem, in which no secret stands.
    """
    from cattrs import transform_error
    from cattrs.errors import CattrsError

    from hotswap.manifest.converter import strict_converter

    # a converter of its own for each class: a shared one would hold on to the classes of plugins that were reloaded
    try:
        return strict_converter(detailed=True).structure(config.to_dict(), cls)
    except CattrsError as error:
        raise ConfigInvalid(config.plugin, transform_error(error, "$", _sentence(config))) from None


def _sentence(config: Config) -> Callable[[BaseException, type | None], str]:
    import attrs
    from cattrs.errors import ForbiddenExtraKeysError

    def sentence(error: BaseException, _: type | None) -> str:
        if isinstance(error, ForbiddenExtraKeysError):
            known = [each.name for each in attrs.fields(error.cl)]
            hints = [f"unknown setting {name!r}. {nearest(name, known)}".strip() for name in sorted(error.extra_fields)]
            return " ".join(hints)
        if isinstance(error, KeyError):
            return "is missing"
        return config.redact(str(error.args[0]) if error.args else type(error).__name__)

    return sentence
