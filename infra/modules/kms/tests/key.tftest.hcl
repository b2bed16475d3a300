mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/k", key_id = "k" }
  }
}

variables { name = "example" }

run "a_key_rotates_and_serves_this_account_only" {
  command = apply
  assert {
    condition     = aws_kms_key.this["this"].enable_key_rotation && aws_kms_key.this["this"].deletion_window_in_days == 30
    error_message = "The key must rotate, and deleting it must leave a month."
  }
  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this["this"].policy).Statement : statement.Sid] == ["Account", "Logs", "EventsLook", "Alarms", "Events", "Topics"]
    error_message = "Account, logs and the three services that use it in nobody's name."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.this["this"].policy).Statement : can(statement.Condition) if !contains(["Account", "EventsLook"], statement.Sid)])
    error_message = "Every service that uses the key must be bound to this account."
  }
  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this["this"].policy).Statement : [statement.Principal.Service, statement.Action] if statement.Sid == "EventsLook"] == [["events.amazonaws.com", ["kms:DescribeKey"]]]
    error_message = "EventBridge refuses a key for a bus that it may not describe; more than that is not for it without an account."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_kms_key.this) + length(aws_kms_alias.this) == 0 && output.arn == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                 = "aws-mine"
    rotation_period_days = 89
    deletion_window_days = 6
    tags                 = { "aws:owner" = "me" }
  }
  expect_failures = [var.name, var.rotation_period_days, var.deletion_window_days, var.tags]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_kms_alias.this["this"].name == "alias/team-example"
    error_message = "The name must start with the prefix."
  }
}
