mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:example-alarms" }
  }
}

variables {
  name_prefix = "example"
  functions   = { login = { name = "example-login" }, relay = { name = "example-relay", timeout_seconds = 60, max_iterator_age_seconds = 60 } }
  queues      = { push = { name = "example-push", dlq_name = "example-push-dlq" }, relay = { dlq_name = "example-relay-dlq" } }
  topic_arns  = ["arn:aws:sns:us-east-1:123456789012:alarms"]
}

run "everything_is_watched" {
  command = apply
  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "login-duration", "login-errors", "login-throttles", "push-age", "push-dlq", "relay-dlq", "relay-duration", "relay-errors", "relay-iterator-age", "relay-throttles",
    ])
    error_message = "Errors, throttles and duration of functions; age of streams and queues; dead-letter queues."
  }
  assert {
    condition = output.settings == {
      for key, watched in {
        login-duration     = "value! = p99 of AWS/Lambda Duration (FunctionName=example-login) in 60 s GreaterThanThreshold 8000, 2 of 3, missing notBreaching,"
        login-errors       = "result! = IF(invocations > 0, 100 * errors / invocations, 0), errors = Sum of AWS/Lambda Errors (FunctionName=example-login) in 60 s, invocations = Sum of AWS/Lambda Invocations (FunctionName=example-login) in 60 s GreaterThanThreshold 1, 2 of 3, missing notBreaching,"
        login-throttles    = "value! = Sum of AWS/Lambda Throttles (FunctionName=example-login) in 60 s GreaterThanThreshold 0, 2 of 3, missing notBreaching,"
        push-age           = "value! = Maximum of AWS/SQS ApproximateAgeOfOldestMessage (QueueName=example-push) in 60 s GreaterThanThreshold 300, 2 of 3, missing notBreaching,"
        push-dlq           = "value! = Maximum of AWS/SQS ApproximateNumberOfMessagesVisible (QueueName=example-push-dlq) in 60 s GreaterThanThreshold 0, 2 of 3, missing notBreaching,"
        relay-dlq          = "value! = Maximum of AWS/SQS ApproximateNumberOfMessagesVisible (QueueName=example-relay-dlq) in 60 s GreaterThanThreshold 0, 2 of 3, missing notBreaching,"
        relay-duration     = "value! = p99 of AWS/Lambda Duration (FunctionName=example-relay) in 60 s GreaterThanThreshold 48000, 2 of 3, missing notBreaching,"
        relay-errors       = "result! = IF(invocations > 0, 100 * errors / invocations, 0), errors = Sum of AWS/Lambda Errors (FunctionName=example-relay) in 60 s, invocations = Sum of AWS/Lambda Invocations (FunctionName=example-relay) in 60 s GreaterThanThreshold 1, 2 of 3, missing notBreaching,"
        relay-iterator-age = "value! = Maximum of AWS/Lambda IteratorAge (FunctionName=example-relay) in 60 s GreaterThanThreshold 60000, 2 of 3, missing notBreaching,"
        relay-throttles    = "value! = Sum of AWS/Lambda Throttles (FunctionName=example-relay) in 60 s GreaterThanThreshold 0, 2 of 3, missing notBreaching,"
      } : key => "${watched} alarm to [arn:aws:sns:us-east-1:123456789012:alarms], ok to [arn:aws:sns:us-east-1:123456789012:alarms]"
    }
    error_message = "What each alarm watches, compares and tells: ${join("\n", values(output.settings))}"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["login-duration"].threshold == 8000 && aws_cloudwatch_metric_alarm.this["relay-iterator-age"].threshold == 60000 && aws_cloudwatch_metric_alarm.this["push-dlq"].threshold == 0
    error_message = "80 % of the time-out; a minute of age in milliseconds; one message in a dead-letter queue."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:123456789012:alarms"]) && alarm.treat_missing_data == "notBreaching"])
    error_message = "Every alarm must be told; silence is not an alarm."
  }
  assert {
    condition     = aws_cloudwatch_composite_alarm.rollback["this"].alarm_rule == "ALARM(\"example-login-duration\") OR ALARM(\"example-login-errors\") OR ALARM(\"example-relay-duration\") OR ALARM(\"example-relay-errors\")"
    error_message = "A release is bad when functions fail or are slow."
  }
}

run "custom_metrics_and_expressions" {
  command = plan
  variables {
    functions = {}
    queues    = {}
    custom = {
      hit-rate = {
        description = "The cache is of no use."
        metrics = {
          hits   = { namespace = "Example", name = "Hits", stat = "Sum", dimensions = { env = "test" } }
          misses = { namespace = "Example", name = "Misses", stat = "Sum" }
        }
        expression = "100 * hits / (hits + misses)"
        threshold  = 50
        comparison = "LessThanThreshold"
      }
    }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["hit-rate"].comparison_operator == "LessThanThreshold" && length(aws_cloudwatch_metric_alarm.this["hit-rate"].metric_query) == 3
    error_message = "Two metrics and the expression over them."
  }
  assert {
    condition     = length(aws_cloudwatch_composite_alarm.rollback) == 0
    error_message = "Nothing here says that a release is bad."
  }
}

run "what_is_sent_seldom_is_looked_at_as_seldom" {
  command = apply
  variables {
    functions = {}
    custom = {
      seldom = {
        description         = "Sent every five minutes."
        metrics             = { value = { namespace = "Example", name = "Seldom", stat = "Maximum" } }
        threshold           = 0
        period_seconds      = 300
        evaluation_periods  = 1
        datapoints_to_alarm = 1
      }
      often = {
        description = "Sent all the time."
        metrics     = { value = { namespace = "Example", name = "Often", stat = "Sum" } }
        threshold   = 0
      }
    }
  }
  assert {
    condition     = { for key, evaluation in output.evaluations : key => evaluation if contains(["seldom", "often", "push-dlq"], key) } == { seldom = "1 of 1 of 300 s", often = "2 of 3 of 60 s", push-dlq = "2 of 3 of 60 s" }
    error_message = "Two of three minutes are never over the threshold when a datapoint comes every five."
  }
}

run "refuses_a_custom_period_alone" {
  command = plan
  variables {
    custom = { a = { description = "a", metrics = { value = { namespace = "E", name = "N", stat = "Sum" } }, threshold = 1, period_seconds = 300 } }
  }
  expect_failures = [var.custom]
}

run "refuses_a_custom_period_of_a_minute_and_a_half" {
  command = plan
  variables {
    custom = { a = { description = "a", metrics = { value = { namespace = "E", name = "N", stat = "Sum" } }, threshold = 1, period_seconds = 90, evaluation_periods = 1, datapoints_to_alarm = 1 } }
  }
  expect_failures = [var.custom]
}

run "refuses_custom_periods_of_more_than_a_day" {
  command = plan
  variables {
    custom = { a = { description = "a", metrics = { value = { namespace = "E", name = "N", stat = "Sum" } }, threshold = 1, period_seconds = 43200, evaluation_periods = 3, datapoints_to_alarm = 1 } }
  }
  expect_failures = [var.custom]
}

run "refuses_more_custom_datapoints_than_are_looked_at" {
  command = plan
  variables {
    custom = { a = { description = "a", metrics = { value = { namespace = "E", name = "N", stat = "Sum" } }, threshold = 1, period_seconds = 60, evaluation_periods = 1, datapoints_to_alarm = 2 } }
  }
  expect_failures = [var.custom]
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_composite_alarm.rollback) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name_prefix        = "has space"
    functions          = { a = { name = "a", timeout_seconds = 0 } }
    queues             = { a = {} }
    custom             = { a = { description = "", metrics = { v = { namespace = "N", name = "M", stat = "Sum" } }, threshold = 1, comparison = "Over" } }
    error_rate_percent = 100
    period_seconds     = 90
    topic_arns         = ["topic"]
    tags               = { "aws:owner" = "me" }
  }
  expect_failures = [
    var.name_prefix, var.functions, var.queues, var.custom, var.error_rate_percent, var.period_seconds, var.topic_arns, var.tags,
  ]
}

run "refuses_a_duration_of_nothing_and_several_metrics_without_expression" {
  command = plan
  variables {
    functions = { a = { name = "a", p99_milliseconds = 0 } }
    queues    = { a = { name = "a", max_age_seconds = 0 } }
    custom    = { a = { description = "", metrics = { v = { namespace = "N", name = "M", stat = "Sum" }, w = { namespace = "N", name = "W", stat = "Sum" } }, threshold = 1 } }
  }
  expect_failures = [var.functions, var.queues, var.custom]
}

run "refuses_an_iterator_age_of_nothing_and_a_reserved_metric_id" {
  command = plan
  variables {
    functions = { a = { name = "a", max_iterator_age_seconds = 0 } }
    custom    = { a = { description = "", metrics = { result = { namespace = "N", name = "M", stat = "Sum" } }, threshold = 1 } }
  }
  expect_failures = [var.functions, var.custom]
}

run "refuses_no_evaluation" {
  command = plan
  variables { evaluation_periods = 0 }
  expect_failures = [var.evaluation_periods]
}

run "refuses_more_datapoints_than_are_looked_at" {
  command = plan
  variables { datapoints_to_alarm = 4 }
  expect_failures = [var.datapoints_to_alarm]
}

run "each_alarm_says_where_its_runbook_is" {
  command = plan
  variables {
    runbooks = "docs/runbooks"
    custom = {
      heartbeat = {
        description  = "Nothing is heard."
        metrics      = { value = { namespace = "Example", name = "Beat", stat = "Sum" } }
        threshold    = 1
        comparison   = "LessThanThreshold"
        runbook      = "silence"
        missing_data = "breaching"
      }
    }
  }
  assert {
    condition     = endswith(aws_cloudwatch_metric_alarm.this["login-errors"].alarm_description, " What to do: docs/runbooks/errors.md") && endswith(aws_cloudwatch_metric_alarm.this["heartbeat"].alarm_description, "docs/runbooks/silence.md") && endswith(aws_cloudwatch_composite_alarm.rollback["this"].alarm_description, "docs/runbooks/rollback.md")
    error_message = "By kind, by its own name, and for the release."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["heartbeat"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["login-errors"].treat_missing_data == "notBreaching"
    error_message = "For a metric that is always sent, silence is an alarm."
  }
}

run "refuses_wrong_runbooks_and_silence" {
  command = plan
  variables {
    runbooks = "docs/runbooks/"
    custom   = { c = { description = "c", metrics = { value = { namespace = "E", name = "N", stat = "Sum" } }, threshold = 1, missing_data = "loud" } }
  }
  expect_failures = [var.runbooks, var.custom]
}

run "a_topic_of_its_own_gets_every_alarm" {
  command = apply
  variables {
    topic = { emails = ["on-call@example.com"], kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  assert {
    condition     = aws_sns_topic.this["this"].name == "example-alarms" && aws_sns_topic.this["this"].kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/k" && output.topic_arn == aws_sns_topic.this["this"].arn
    error_message = "The topic as asked for."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset(concat(var.topic_arns, [output.topic_arn])) && alarm.ok_actions == alarm.alarm_actions])
    error_message = "Every alarm must notify both topics."
  }
  assert {
    condition     = [for subscription in aws_sns_topic_subscription.email : [subscription.topic_arn, subscription.protocol, subscription.endpoint]] == [[output.topic_arn, "email", "on-call@example.com"]]
    error_message = "The address must get the alarms."
  }
  assert {
    condition = aws_sns_topic_policy.this["this"].arn == output.topic_arn && jsonencode([for statement in jsondecode(aws_sns_topic_policy.this["this"].policy).Statement : [statement.Effect, statement.Principal, statement.Action, statement.Resource == output.topic_arn, statement.Condition]]) == jsonencode([
      ["Allow", { Service = "cloudwatch.amazonaws.com" }, "sns:Publish", true, { StringEquals = { "aws:SourceAccount" = "123456789012" } }],
      ["Deny", "*", "sns:Publish", true, { Bool = { "aws:SecureTransport" = "false" } }],
    ])
    error_message = "Alarms of this account may publish, over TLS: ${aws_sns_topic_policy.this["this"].policy}"
  }
}

run "without_a_topic_nobody_is_subscribed" {
  command = plan
  assert {
    condition     = length(aws_sns_topic.this) + length(aws_sns_topic_policy.this) + length(aws_sns_topic_subscription.email) == 0 && output.topic_arn == null
    error_message = "No topic unless asked for."
  }
}

run "refuses_what_is_no_address" {
  command = plan
  variables { topic = { emails = ["on-call"] } }
  expect_failures = [var.topic]
}

run "refuses_an_alias_of_a_key" {
  command = plan
  variables { topic = { kms_key_arn = "alias/mine" } }
  expect_failures = [var.topic]
}
