"""Tests the moves of a canary, its alarms and its return. The AWS of these tests stores the position of each alias."""

import contextlib
import io
import unittest
from unittest import mock

from fakes import read

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import canary_of
from holdfast_cli.deploy import aws, canary

OUTPUTS = {"functions": {"ops-health": "p-ops-health", "auth-login": "p-auth-login"}, "httpUrl": "https://api"}


class FakeAws:
    """Aliases on versions, with weights, and alarms that a test turns on after some looks."""

    def __init__(self, **aliases):
        self.aliases = {f"p-{name.replace('_', '-')}": dict(zip(("version", "newest", "weights"), (*versions, {}))) for name, versions in aliases.items()}
        self.alarms = {"p-platform-rollback": "OK", "p-auth-rollback": "INSUFFICIENT_DATA"}
        self.looks, self.alarm_at, self.moves = 0, None, []

    def rollback_alarms(self, _settings, prefix):
        assert prefix == "p-"
        self.looks += 1
        return {name: "ALARM" if self.looks == self.alarm_at else state for name, state in self.alarms.items()}

    def move_aliases(self, _settings, alias, moves):
        assert alias == "live"
        self.moves.append({move["name"]: (move["version"], move["weights"]) for move in moves})
        for move in moves:
            self.aliases[move["name"]].update(version=move["version"], weights=move["weights"])


class Shift(unittest.TestCase):
    def shift(self, fake, settings=None, sleep=lambda _: None, percent="10"):
        with mock.patch.object(aws, "aliases", lambda *_: fake.aliases), mock.patch.object(aws, "move_aliases", fake.move_aliases), \
                mock.patch.object(aws, "rollback_alarms", fake.rollback_alarms), contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                return canary.release(settings or read(ENV="staging", CANARY=percent, CANARY_MINUTES="3"), OUTPUTS, sleep)
            finally:
                self.said = said.getvalue()

    def test_a_tenth_first_then_all_and_what_has_not_changed_stays(self):
        fake, slept = FakeAws(ops_health=("3", "4"), auth_login=("7", "7")), []
        moved = self.shift(fake, sleep=slept.append)
        self.assertEqual(fake.moves, [{"p-ops-health": ("3", {"4": 0.1})}, {"p-ops-health": ("4", {})}])
        self.assertEqual(moved, {"p-ops-health": ("3", "4")})
        self.assertEqual(sum(slept), 180)

    def test_nothing_changed_moves_nothing_and_looks_at_nothing(self):
        fake = FakeAws(ops_health=("3", "3"))
        self.shift(fake)
        self.assertEqual((fake.moves, fake.looks), ([], 0))

    def test_an_alarm_puts_everybody_back(self):
        fake = FakeAws(ops_health=("3", "4"), auth_login=("7", "8"))
        fake.alarm_at = 4
        with self.assertRaisesRegex(Failed, "p-auth-rollback, p-platform-rollback are on.*back on the versions before"):
            self.shift(fake)
        self.assertEqual(fake.moves[-1], {"p-ops-health": ("3", {}), "p-auth-login": ("7", {})})
        self.assertEqual(len(fake.moves), 2)

    def test_an_alarm_that_is_on_already_shifts_nothing(self):
        fake = FakeAws(ops_health=("3", "4"))
        fake.alarms["p-platform-rollback"] = "ALARM"
        with self.assertRaisesRegex(Failed, "p-platform-rollback is on: nothing was shifted"):
            self.shift(fake)
        self.assertEqual(fake.moves, [])

    def test_without_an_alarm_there_is_no_canary(self):
        fake = FakeAws(ops_health=("3", "4"))
        fake.alarms = {}
        with self.assertRaisesRegex(Refused, "no alarm p-…-rollback"):
            self.shift(fake)
        self.assertEqual(fake.moves, [])

    def test_trouble_with_asking_the_alarms_puts_everybody_back(self):
        fake, looks = FakeAws(ops_health=("3", "4")), []

        def sleep(_):
            looks.append(1)
            if len(looks) == 2:
                raise Failed("AWS cannot be used")

        with self.assertRaisesRegex(Failed, "AWS cannot be used"):
            self.shift(fake, sleep=sleep)
        self.assertEqual(fake.aliases["p-ops-health"]["version"], "3")
        self.assertEqual(fake.aliases["p-ops-health"]["weights"], {})

    def test_a_canary_that_was_interrupted_goes_on_with_the_next_deploy(self):
        fake = FakeAws(ops_health=("3", "4"))

        def stop(_):
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.shift(fake, sleep=stop)
        self.assertIn("10 % stay on the new versions", self.said)
        self.assertEqual(fake.aliases["p-ops-health"]["weights"], {"4": 0.1})
        self.shift(fake)
        self.assertEqual(fake.aliases["p-ops-health"], {"version": "4", "newest": "4", "weights": {}})

    def test_at_once_where_that_is_asked_for(self):
        fake = FakeAws(ops_health=("3", "4"))
        self.shift(fake, percent="0")
        self.assertEqual((fake.moves, fake.looks), ([{"p-ops-health": ("4", {})}], 0))

    def test_the_local_cloud_has_none(self):
        fake = FakeAws(ops_health=("3", "4"))
        self.shift(fake, settings=read())
        self.assertEqual((fake.moves, fake.looks), ([], 0))


class Split(unittest.TestCase):
    def test_what_an_interrupted_canary_left_is_named(self):
        fake = FakeAws(ops_health=("3", "4"), auth_login=("7", "7"))
        fake.aliases["p-ops-health"]["weights"] = {"4": 0.1}
        asked = mock.Mock(return_value=fake.aliases)
        with mock.patch.object(aws, "aliases", asked):
            self.assertEqual(canary.split(read(ENV="staging")), ["p-ops-health: 10 % on version 4"])
            self.assertIn("holdfast-staging-ops-health", asked.call_args.args[2])
            self.assertEqual(canary.split(read()), [])


class FakeLambda:
    """Versions and aliases of one function, in pages of two versions."""

    def __init__(self, versions, aliases):
        self.versions, self.aliases, self.deleted = versions, aliases, []

    def get_paginator(self, name):
        numbers = ["$LATEST", *map(str, self.versions)]
        pages = {"list_aliases": [{"Aliases": self.aliases}],
                 "list_versions_by_function": [{"Versions": [{"Version": number} for number in numbers[at:at + 2]]} for at in range(0, len(numbers), 2)]}
        return mock.Mock(paginate=lambda FunctionName: pages[name])

    def delete_function(self, FunctionName, Qualifier):
        self.deleted.append((FunctionName, Qualifier))


class Prune(unittest.TestCase):
    def pruned(self, versions, aliases, keep=2):
        client = FakeLambda(versions, aliases)

        @contextlib.contextmanager
        def asking(_):
            yield mock.Mock(functions=client)

        with mock.patch.object(aws, "asking", asking):
            number = aws.prune_versions(read(ENV="staging"), ["p-one"], keep)
        self.assertEqual(number, len(client.deleted))
        return [version for _, version in client.deleted]

    def test_the_newest_versions_and_those_of_an_alias_stay(self):
        split = {"FunctionVersion": "3", "RoutingConfig": {"AdditionalVersionWeights": {"4": 0.1}}}
        self.assertEqual(self.pruned([1, 2, 3, 4, 10, 9], [split]), ["1", "2"])
        self.assertEqual(self.pruned([1, 2, 3], [{"FunctionVersion": "3"}]), ["1"])

    def test_few_versions_all_stay(self):
        self.assertEqual(self.pruned([1, 2], []), [])
        self.assertEqual(self.pruned([], []), [])

    def prune(self, settings, found):
        with mock.patch.object(aws, "prune_versions", found), contextlib.redirect_stdout(io.StringIO()) as said:
            canary.prune(settings, OUTPUTS)
        return said.getvalue()

    def test_versions_that_cannot_be_deleted_do_not_fail_a_release_that_works(self):
        self.assertIn("were not deleted: AWS cannot be used", self.prune(read(ENV="staging"), mock.Mock(side_effect=Failed("AWS cannot be used"))))

    def test_every_function_is_looked_at_on_aws_and_none_on_the_local_cloud(self):
        found = mock.Mock(return_value=3)
        self.assertIn("Deleted 3 old version(s)", self.prune(read(ENV="staging"), found))
        self.assertEqual(found.call_args.args[1:], (["p-auth-login", "p-ops-health"], canary.KEEP_VERSIONS))
        self.prune(read(), found)
        self.assertEqual(found.call_count, 1)


class Wish(unittest.TestCase):
    def test_a_tenth_for_five_minutes_is_the_default(self):
        self.assertEqual(canary_of({}), (10, 5))
        self.assertEqual(read(ENV="staging", CANARY="25", CANARY_MINUTES="30").canary, (25, 30))

    def test_what_is_none_is_refused_before_anything_happens(self):
        for environ in ({"CANARY": "ten"}, {"CANARY": "51"}, {"CANARY": "-1"}, {"CANARY_MINUTES": "2"}, {"CANARY_MINUTES": "1e3"}):
            with self.assertRaises(Refused, msg=str(environ)):
                canary_of(environ)
        with self.assertRaisesRegex(Refused, "CANARY=ten"):
            read(CANARY="ten")


class AfterARollback(unittest.TestCase):
    def test_the_release_before_gets_every_call_at_once(self):
        fake = FakeAws(ops_health=("4", "5"))
        fake.aliases["p-ops-health"]["weights"] = {"3": 0.1}
        with mock.patch.object(aws, "aliases", lambda *_: fake.aliases), mock.patch.object(aws, "move_aliases", fake.move_aliases):
            canary.settle(read(ENV="staging"), OUTPUTS)
        self.assertEqual(fake.moves, [{"p-ops-health": ("5", {})}])


if __name__ == "__main__":
    unittest.main()
