mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }
}

variables {
  name               = "example"
  functions          = { login = "example-login" }
  queues             = { push = "example-push" }
  dead_letter_queues = { push-dlq = "example-push-dlq" }
}

run "functions_and_queues_are_shown" {
  command = plan
  assert {
    condition = [for widget in jsondecode(aws_cloudwatch_dashboard.this["this"].dashboard_body).widgets : widget.properties.title] == [
      "Invocations", "Errors", "Throttles", "Duration p99 (ms)", "Age of the oldest message (s)", "Messages in dead-letter queues",
    ]
    error_message = "Four widgets for functions, two for queues."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this["this"].dashboard_body).widgets[5].properties.metrics == [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "example-push-dlq", { label = "push-dlq" }]]
    error_message = "The dead-letter queue's depth."
  }
  assert {
    condition = output.settings == {
      "Invocations"                    = "Sum in 60 s: AWS/Lambda Invocations FunctionName example-login as login"
      "Errors"                         = "Sum in 60 s: AWS/Lambda Errors FunctionName example-login as login"
      "Throttles"                      = "Sum in 60 s: AWS/Lambda Throttles FunctionName example-login as login"
      "Duration p99 (ms)"              = "p99 in 60 s: AWS/Lambda Duration FunctionName example-login as login"
      "Age of the oldest message (s)"  = "Maximum in 60 s: AWS/SQS ApproximateAgeOfOldestMessage QueueName example-push as push"
      "Messages in dead-letter queues" = "Maximum in 60 s: AWS/SQS ApproximateNumberOfMessagesVisible QueueName example-push-dlq as push-dlq"
    }
    error_message = "The widgets as asked for: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = alltrue([for widget in jsondecode(output.body).widgets : widget.properties.region == "us-east-1" && widget.type == "metric"])
    error_message = "Metrics of the Region that the functions are in."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name               = "has space"
    functions          = {}
    queues             = {}
    dead_letter_queues = {}
    period_seconds     = 61
  }
  expect_failures = [var.name, var.functions, var.period_seconds]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_cloudwatch_dashboard.this["this"].dashboard_name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "further_metrics_come_first" {
  command = plan
  variables {
    metrics = [{ title = "Orders", stat = "p99", lines = [{ namespace = "Shop", name = "Latency", dimensions = { env = "test", function = "buy" }, label = "buy" }] }]
  }
  assert {
    condition     = jsonencode(jsondecode(aws_cloudwatch_dashboard.this["this"].dashboard_body).widgets[0].properties.metrics) == jsonencode([["Shop", "Latency", "env", "test", "function", "buy", { label = "buy" }]])
    error_message = "A line is namespace, name, dimensions, options."
  }
}

run "refuses_a_widget_without_lines" {
  command = plan
  variables {
    metrics            = [{ title = "Empty", lines = [] }]
    queues             = { work = "https://sqs.example/work" }
    dead_letter_queues = { work = "https://sqs.example/work" }
  }
  expect_failures = [var.metrics, var.queues, var.dead_letter_queues]
}
