mock_provider "aws" {
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:event-bus/example" }
  }
}

variables { name = "example" }

run "a_bus_without_archive" {
  command = apply
  assert {
    condition     = aws_cloudwatch_event_bus.this["this"].name == "example" && length(aws_cloudwatch_event_archive.this) == 0
    error_message = "No archive unless asked for."
  }
  assert {
    condition     = jsondecode(output.policy_documents.publish).Statement[0] == { Effect = "Allow", Action = ["events:PutEvents"], Resource = ["arn:aws:events:us-east-1:123456789012:event-bus/example"] }
    error_message = "Publishers may put events to this bus only."
  }
}

run "an_archive_keeps_events" {
  command = apply
  variables { archive_retention_days = 14 }
  assert {
    condition     = aws_cloudwatch_event_archive.this["this"].retention_days == 14 && aws_cloudwatch_event_archive.this["this"].event_source_arn == aws_cloudwatch_event_bus.this["this"].arn
    error_message = "Events of this bus must be kept as long as asked for."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_cloudwatch_event_bus.this) == 0 && output.arn == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                   = "default"
    archive_retention_days = 1.5
    tags                   = { "aws:owner" = "me" }
    kms_key_arn            = "alias/mine"
    dead_letter_queue_arn  = "https://sqs.example/queue"
  }
  expect_failures = [var.dead_letter_queue_arn, var.name, var.archive_retention_days, var.tags, var.kms_key_arn]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_cloudwatch_event_bus.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    archive_retention_days = 14
    kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/k"
    dead_letter_queue_arn  = "arn:aws:sqs:us-east-1:123456789012:example-bus-dlq"
  }
  assert {
    condition     = jsonencode(output.settings) == jsonencode({ archive_days = 14, dead_letters_to = "arn:aws:sqs:us-east-1:123456789012:example-bus-dlq", kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k" })
    error_message = "The bus as asked for: ${jsonencode(output.settings)}"
  }
}

run "an_archive_can_keep_some_events" {
  command = plan
  variables {
    archive_retention_days = 14
    archive_event_pattern  = "{\"detail-type\":[\"ORDER_PLACED\"]}"
  }
  assert {
    condition     = aws_cloudwatch_event_archive.this["this"].event_pattern == "{\"detail-type\":[\"ORDER_PLACED\"]}"
    error_message = "Only these events are kept."
  }
}

run "other_accounts_may_put_events_as_stated" {
  command = apply
  variables {
    policy_statements = {
      Outside = { effect = "Deny", principals = { AWS = ["*"] }, conditions = { StringNotEquals = { "aws:PrincipalOrgID" = ["o-1"] } } }
      Partner = { principals = { AWS = ["arn:aws:iam::210987654321:root"] } }
    }
  }
  assert {
    condition = aws_cloudwatch_event_bus_policy.this["this"].event_bus_name == "example" && jsonencode(jsondecode(aws_cloudwatch_event_bus_policy.this["this"].policy).Statement) == jsonencode([
      {
        Sid       = "Outside"
        Effect    = "Deny"
        Principal = { AWS = ["*"] }
        Action    = ["events:PutEvents"]
        Resource  = "arn:aws:events:us-east-1:123456789012:event-bus/example"
        Condition = { StringNotEquals = { "aws:PrincipalOrgID" = ["o-1"] } }
      },
      {
        Sid       = "Partner"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::210987654321:root"] }
        Action    = ["events:PutEvents"]
        Resource  = "arn:aws:events:us-east-1:123456789012:event-bus/example"
      },
    ])
    error_message = "The statements as they are: ${aws_cloudwatch_event_bus_policy.this["this"].policy}"
  }
}

run "without_statements_there_is_no_policy" {
  command = plan
  assert {
    condition     = length(aws_cloudwatch_event_bus_policy.this) == 0
    error_message = "Only the account's own roles may put events."
  }
}

run "refuses_a_pattern_without_archive_and_principals_of_no_kind" {
  command = plan
  variables {
    archive_event_pattern = "{\"detail-type\":[\"ORDER_PLACED\"]}"
    policy_statements     = { A = { principals = { User = ["me"] } } }
  }
  expect_failures = [var.archive_event_pattern, var.policy_statements]
}

run "refuses_to_let_everyone_put_events" {
  command = plan
  variables {
    policy_statements = { A = { principals = { AWS = ["*"] } } }
  }
  expect_failures = [var.policy_statements]
}
