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
  assert {
    condition = jsonencode([for statement in jsondecode(output.key_policy).Statement : statement if contains(["Logs", "Topics"], statement.Sid)]) == jsonencode([
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.us-east-1.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = ["*"]
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:us-east-1:123456789012:log-group:*" } }
      },
      {
        Sid       = "Topics"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
      },
    ])
    error_message = "Logs of this account's groups, and a service that acts for this account."
  }
  assert {
    condition = { for statement in jsondecode(output.key_policy).Statement : statement.Sid => values(statement.Principal)[0] } == {
      Account = "arn:aws:iam::123456789012:root", Logs = "logs.us-east-1.amazonaws.com", EventsLook = "events.amazonaws.com"
      Alarms  = "cloudwatch.amazonaws.com", Events = "events.amazonaws.com", Topics = "sns.amazonaws.com"
    }
    error_message = "Nobody else."
  }
}

run "a_key_for_named_users_lets_nobody_else_encrypt_or_decrypt" {
  command = apply
  variables {
    description = "Secrets of second factors."
    users = {
      principal_arns          = ["arn:aws:iam::123456789012:role/reader", "arn:aws:iam::123456789012:role/writer"]
      encryption_context_keys = ["userId"]
    }
  }
  assert {
    condition     = [for statement in jsondecode(output.key_policy).Statement : statement.Sid] == ["Administration", "Users"] && aws_kms_key.this["this"].description == "Secrets of second factors."
    error_message = "No service uses such a key, and no role by its own policy alone."
  }
  assert {
    condition     = length(setintersection(jsondecode(output.key_policy).Statement[0].Action, ["kms:*", "kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:CreateGrant"])) == 0 && contains(jsondecode(output.key_policy).Statement[0].Action, "kms:PutKeyPolicy")
    error_message = "Administrators manage the key and cannot use it."
  }
  assert {
    condition = jsonencode(jsondecode(output.key_policy).Statement[1]) == jsonencode({
      Sid       = "Users"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = ["kms:Decrypt", "kms:Encrypt"]
      Resource  = ["*"]
      Condition = {
        ArnLike                     = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/reader", "arn:aws:iam::123456789012:role/writer"] }
        "ForAllValues:StringEquals" = { "kms:EncryptionContextKeys" = ["userId"] }
        Null                        = { "kms:EncryptionContext:userId" = "false" }
      }
    })
    error_message = "The named roles, with exactly this context."
  }
  assert {
    condition     = jsondecode(output.policy_documents.use).Statement[0].Action == ["kms:Decrypt", "kms:Encrypt"]
    error_message = "The ready policy document allows what the key policy allows."
  }
}

run "refuses_users_that_are_no_roles" {
  command = plan
  variables { users = { principal_arns = ["arn:aws:iam::123456789012:role/*"] } }
  expect_failures = [var.users]
}

run "refuses_a_context_without_a_name" {
  command = plan
  variables { users = { principal_arns = ["arn:aws:iam::123456789012:role/reader"], encryption_context_keys = [""] } }
  expect_failures = [var.users]
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
    description          = ""
    rotation_period_days = 89
    deletion_window_days = 6
    tags                 = { "aws:owner" = "me" }
  }
  expect_failures = [var.description, var.name, var.rotation_period_days, var.deletion_window_days, var.tags]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_kms_alias.this["this"].name == "alias/team-example"
    error_message = "The name must start with the prefix."
  }
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    rotation_period_days = 90
    deletion_window_days = 8
  }
  assert {
    condition     = jsonencode(output.settings) == jsonencode({ deletion_window_days = 8, rotation = true, rotation_period_days = 90 })
    error_message = "The key as asked for: ${jsonencode(output.settings)}"
  }
}
