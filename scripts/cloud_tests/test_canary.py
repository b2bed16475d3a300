"""What the canary asks of AWS, asked of the local cloud: it keeps aliases, weights and alarms, though it routes nothing by them."""

import io
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from holdfast_cli.core import processes, tools
from holdfast_cli.core import settings as settings_module
from holdfast_cli.deploy import aws
from holdfast_cli.local import cloud

TRUST = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}')


def code(text):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("f.py", text)
    return made.getvalue()


def make(api):
    """A function with two versions and an alias on the first, one without an alias, and an alarm of each kind."""
    functions, alarms = api.functions, api.cloudwatch
    role = api.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    for name in ("p-one", "p-two"):
        functions.create_function(FunctionName=name, Runtime="python3.12", Handler="f.h", Role=role, Code={"ZipFile": code("h = 1")})
        functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName="p-one", Name="live", FunctionVersion="1")
    functions.update_function_code(FunctionName="p-one", ZipFile=code("h = 2"))
    functions.publish_version(FunctionName="p-one")
    alarms.put_metric_alarm(AlarmName="p-errors", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
                            ComparisonOperator="GreaterThanThreshold")
    for name in ("p-rollback", "p-other", "q-rollback"):
        alarms.put_composite_alarm(AlarmName=name, AlarmRule='ALARM("p-errors")')


class Asked(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="holdfast-shift-")
        cls.addClassCleanup(folder.cleanup)
        cls.settings = settings_module.read({
            "ENV": "local", "HOLDFAST_WORK_DIR": str(Path(folder.name).resolve() / "work"), "HOLDFAST_PORT": str(processes.free_port()),
            "HOLDFAST_REDIS_PORT": str(processes.free_port())})
        tools.install(cls.settings)
        cloud.start(cls.settings, None)
        cls.addClassCleanup(cloud.stop, cls.settings)
        make(aws.Api(cls.settings))

    def test_where_an_alias_is_and_what_is_newer(self):
        aws.move_aliases(self.settings, "live", [{"name": "p-one", "version": "1", "weights": {}}])
        found = aws.aliases(self.settings, "live", ["p-one", "p-two"])
        self.assertEqual(found, {"p-one": {"version": "1", "weights": {}, "newest": "2"}})

    def test_weights_are_set_and_taken_away(self):
        aws.move_aliases(self.settings, "live", [{"name": "p-one", "version": "1", "weights": {"2": 0.1}}])
        self.assertEqual(aws.aliases(self.settings, "live", ["p-one"])["p-one"]["weights"], {"2": 0.1})
        aws.move_aliases(self.settings, "live", [{"name": "p-one", "version": "2", "weights": {}}])
        self.assertEqual(aws.aliases(self.settings, "live", ["p-one"])["p-one"], {"version": "2", "weights": {}, "newest": "2"})

    def test_the_alarms_of_this_environment_that_say_a_release_is_bad(self):
        self.assertEqual(list(aws.rollback_alarms(self.settings, "p-")), ["p-rollback"])


if __name__ == "__main__":
    unittest.main()
