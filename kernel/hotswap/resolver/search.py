"""A complete search over clauses: conflict-driven clause learning, in the manner of MiniSat and resolvo.

Only what is asked for is decided, the preferred candidate first, so a plugin nobody needs stays out. Each conflict is
resolved down to the decision it hangs on and learned, so that no dead end is entered twice; that is what makes hard
inputs solvable where backtracking alone thrashes. Deterministic: budgets are counts, never seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from hotswap.resolver.formula import Clause, Formula

_RESTART = 100
_DECAY = 1.05
_WINDOW = 30


class Verdict(Enum):
    """What a search found out."""

    SOLVED = "solved"
    IMPOSSIBLE = "impossible"
    GAVE_UP = "gave up"


class Search:
    """One search over a formula, or over some of its clauses."""

    def __init__(self, formula: Formula, only: Sequence[int] | None = None, *, circles: bool = True) -> None:
        self._formula = formula
        self._circles = circles
        self._clauses: list[list[int]] = []
        self._numbers: list[int] = []
        """Position of a clause here -> its number in the formula; -1 for a learned one."""
        self._causes: dict[int, list[int]] = {}
        """Learned clause -> the clauses it was resolved from."""
        count = formula.size
        self._value = [0] * (2 * count + 1)
        """Literal -> 1 true, -1 false, 0 open; a negative literal indexes from the end."""
        self._watch: list[list[int]] = [[] for _ in range(2 * count + 1)]
        self._reason: list[Clause | list[int] | None] = [None] * (count + 1)
        self._from: list[int] = [-1] * (count + 1)
        """Variable -> position of the clause that implied it; -1 for a decision or for its sibling."""
        self._level = [0] * (count + 1)
        self._activity = [0.0] * (count + 1)
        self._saved = [False] * (count + 1)
        self._bump = 1.0
        self._trail: list[int] = []
        self._limits: list[int] = []
        self._marks: list[tuple[int, int]] = []
        """How far ``_scan`` and ``_scan_wanted`` were at each decision: what lies before them may be undone with it."""
        self._head = 0
        self._scan = 0
        self._scan_wanted = 0
        self._loops: list[int] = []
        """Clauses about circles: with all of the circle chosen they ask for a provider from outside it."""
        self._options: dict[int, list[int]] = {}
        """Clause of the formula -> its positive literals, for those taken in."""
        self.conflicts = 0
        self._final: list[int] = []
        self._dead = False
        for number in range(len(formula.clauses)) if only is None else only:
            self._dead = not self._load(number) or self._dead

    def run(self, budget: int) -> Verdict:
        """Search until the clauses are satisfied or refuted, or ``budget`` conflicts were met."""
        restart = self.conflicts + _RESTART
        while not self._dead:
            conflict = self._propagate()
            if conflict is None:
                literal = self._decide()
                if literal:
                    self._limits.append(len(self._trail))
                    self._marks.append((self._scan, self._scan_wanted))
                    self._assign(literal, None, -1)
                    continue
                number = self._formula.circle(self.solution()) if self._circles else None
                if number is None:
                    return Verdict.SOLVED
                conflict = self._circle(number)
                if conflict is None:
                    continue
            self.conflicts += 1
            if not self._resolve(*conflict):
                break
            if self.conflicts >= budget:
                return Verdict.GAVE_UP
            if self.conflicts >= restart:
                restart = self.conflicts + _RESTART
                self._back_to(0)
        return Verdict.IMPOSSIBLE

    def solution(self) -> list[int]:
        """Return the variables that are true, in the order in which they became so."""
        return [each for each in self._trail if each > 0]

    def core(self) -> list[int]:
        """Return the numbers of clauses that refute each other, after ``IMPOSSIBLE``; sorted."""
        seen: set[int] = set()
        stack = list(self._final)
        while stack:
            position = stack.pop()
            if position not in seen:
                seen.add(position)
                stack.extend(self._causes.get(position, ()))
        return sorted(self._numbers[each] for each in seen if self._numbers[each] >= 0)

    def _load(self, number: int) -> bool:
        """Take a clause of the formula in, before anything was decided; False when it is refuted already."""
        clause = list(self._formula.clauses[number])
        position = self._take_in(number, clause)
        if len(clause) >= 2:
            return True
        if clause and self._value[clause[0]] >= 0:
            if not self._value[clause[0]]:
                self._assign(clause[0], clause, position)
            return True
        if not self._final:
            self._final = [position, *self._level_zero(clause)]
        return False

    def _take_in(self, number: int, clause: list[int]) -> int:
        position = len(self._clauses)
        self._options[number] = [each for each in clause if each > 0]
        if self._formula.origins[number].kind == "loop":
            self._loops.append(number)
        self._clauses.append(clause)
        self._numbers.append(number)
        if len(clause) >= 2:
            self._attach(position)
        return position

    def _attach(self, position: int) -> None:
        clause = self._clauses[position]
        self._watch[clause[0]].append(position)
        self._watch[clause[1]].append(position)

    def _assign(self, literal: int, reason: Clause | list[int] | None, position: int) -> None:
        self._value[literal] = 1
        self._value[-literal] = -1
        variable = abs(literal)
        self._level[variable] = len(self._limits)
        self._reason[variable] = reason
        self._from[variable] = position
        self._trail.append(literal)

    def _propagate(self) -> tuple[Clause | list[int], int] | None:
        """Draw all conclusions; return a clause that is false, and its position (-1 for two versions of one plugin)."""
        value, siblings = self._value, self._formula.siblings
        while self._head < len(self._trail):
            literal = self._trail[self._head]
            self._head += 1
            if literal > 0:
                for other in siblings[literal]:
                    if value[other] > 0:
                        return (-literal, -other), -1
                    if not value[other]:
                        self._assign(-other, (-other, -literal), -1)
            conflict = self._visit(-literal)
            if conflict >= 0:
                return self._clauses[conflict], conflict
        return None

    def _visit(self, false: int) -> int:
        """Look at the clauses that watch a literal which has become false; return one that is refuted, or -1."""
        value, clauses, watch = self._value, self._clauses, self._watch
        watching = watch[false]
        kept: list[int] = []
        for index, position in enumerate(watching):
            clause = clauses[position]
            if clause[0] == false:
                clause[0], clause[1] = clause[1], false
            first = clause[0]
            if value[first] > 0:
                kept.append(position)
                continue
            for k in range(2, len(clause)):
                other = clause[k]
                if value[other] >= 0:
                    clause[1], clause[k] = other, false
                    watch[other].append(position)
                    break
            else:
                kept.append(position)
                if value[first] < 0:
                    kept.extend(watching[index + 1 :])
                    watch[false] = kept
                    return position
                self._assign(first, clause, position)
        watch[false] = kept
        return -1

    def _decide(self) -> int:
        """Return the literal to try next: a candidate for something that is asked for and not chosen; 0 if none is.

        Of the first few things asked for, the one whose candidates were in most conflicts; what comes first otherwise.
        """
        best, best_key, seen = 0, (0.0, 0), 0
        for number in self._asked():
            literal, count = self._choice(number)
            if literal:
                key = (-self._activity[literal], count)
                if not best or key < best_key:
                    best, best_key = literal, key
                seen += 1
                if seen >= _WINDOW:
                    break
        return best

    def _asked(self) -> Iterator[int]:
        """Return clauses that ask for a choice, first come first; all before the two marks are satisfied."""
        wanted, trail, needs = self._formula.wanted, self._trail, self._formula.needs
        for number in self._loops:
            if not any(each < 0 and self._value[each] >= 0 for each in self._formula.clauses[number]):
                yield number
        settled = True
        for index in range(self._scan_wanted, len(wanted)):
            if settled and self._choice(wanted[index])[0]:
                settled, self._scan_wanted = False, index
            yield wanted[index]
        if settled:
            self._scan_wanted = len(wanted)
        settled = True
        for index in range(self._scan, len(trail)):
            if trail[index] > 0 and needs[trail[index]]:
                for number in needs[trail[index]]:
                    if settled and self._choice(number)[0]:
                        settled, self._scan = False, index
                    yield number
        if settled:
            self._scan = len(trail)

    def _choice(self, number: int) -> tuple[int, int]:
        """Return the candidate to take for a clause, and how many there are; (0, 0) if it is satisfied or left out."""
        options = self._options.get(number)
        if options is None:
            return 0, 0
        value, saved = self._value, self._saved if self.conflicts > _RESTART else None
        favoured = self._formula.favoured.get(number, 0)
        if favoured and not any(value[each] > 0 for each in options[:favoured]):
            options = [each for each in options[:favoured] if not value[each]] or options
        literal, free = 0, 0
        for each in options:
            if value[each] > 0:
                return 0, 0
            if not value[each]:
                free += 1
                if not literal or (saved and saved[each] and not saved[literal]):
                    literal = each
        return literal, free

    def _circle(self, number: int) -> tuple[list[int], int] | None:
        """Take in the clause that says why what was found cannot be started; return it if it is refuted now."""
        clause = sorted(self._formula.clauses[number], key=self._depth, reverse=True)
        position = self._take_in(number, clause)
        if not self._value[clause[0]]:
            if len(clause) < 2 or self._value[clause[1]]:
                self._assign(clause[0], clause, position)
            return None
        self._back_to(self._level[abs(clause[0])])
        return clause, position

    def _depth(self, literal: int) -> int:
        """Return at which level a literal became false; more than any level when it is open."""
        return self._level[abs(literal)] if self._value[literal] else len(self._trail) + 1

    def _resolve(self, clause: Clause | list[int], position: int) -> bool:
        """Learn from a refuted clause and go back to where the lesson applies; False when nothing was decided."""
        if not self._limits:
            self._final = [*([position] if position >= 0 else []), *self._level_zero(clause)]
            return False
        learned, causes = self._analyse(clause, position)
        back = max((self._level[abs(each)] for each in learned[1:]), default=0)
        self._back_to(back)
        place = len(self._clauses)
        if len(learned) > 1:
            deepest = next(k for k in range(1, len(learned)) if self._level[abs(learned[k])] == back)
            learned[1], learned[deepest] = learned[deepest], learned[1]
        self._clauses.append(learned)
        self._numbers.append(-1)
        self._causes[place] = causes
        if len(learned) > 1:
            self._attach(place)
        self._assign(learned[0], learned, place)
        self._bump *= _DECAY
        if self._bump > 1e100:
            self._activity = [each * 1e-100 for each in self._activity]
            self._bump *= 1e-100
        return True

    def _analyse(self, clause: Clause | list[int], position: int) -> tuple[list[int], list[int]]:
        """Resolve back to the one literal of this level that all hangs on; return the clause, that literal first."""
        current = len(self._limits)
        seen: set[int] = set()
        learned: list[int] = [0]
        causes = [position] if position >= 0 else []
        fixed: list[int] = []
        open_here = 0
        index = len(self._trail)
        while True:
            for literal in clause:
                variable = abs(literal)
                if variable in seen or self._value[literal] > 0:
                    continue
                seen.add(variable)
                self._activity[variable] += self._bump
                if not self._level[variable]:
                    fixed.append(literal)
                elif self._level[variable] == current:
                    open_here += 1
                else:
                    learned.append(literal)
            index = next(k for k in range(index - 1, -1, -1) if abs(self._trail[k]) in seen)
            pivot = self._trail[index]
            open_here -= 1
            if not open_here:
                break
            reason = self._reason[abs(pivot)]
            assert reason is not None
            clause = reason
            if self._from[abs(pivot)] >= 0:
                causes.append(self._from[abs(pivot)])
        learned[0] = -pivot
        causes.extend(self._level_zero(fixed))
        return learned, causes

    def _level_zero(self, literals: Sequence[int]) -> list[int]:
        """Return the clauses behind literals that are false whatever is decided."""
        found: list[int] = []
        seen: set[int] = set()
        stack = [abs(each) for each in literals]
        while stack:
            variable = stack.pop()
            if variable in seen:
                continue
            seen.add(variable)
            if self._from[variable] >= 0:
                found.append(self._from[variable])
            stack.extend(abs(each) for each in self._reason[variable] or ())
        return found

    def _back_to(self, level: int) -> None:
        if level >= len(self._limits):
            return
        limit = self._limits[level]
        for literal in self._trail[limit:]:
            self._value[literal] = self._value[-literal] = 0
            if literal > 0:
                self._saved[literal] = True
                for other in self._formula.siblings[literal]:
                    self._saved[other] = False
        del self._trail[limit:]
        del self._limits[level:]
        self._head = limit
        self._scan, self._scan_wanted = self._marks[level]
        del self._marks[level:]
