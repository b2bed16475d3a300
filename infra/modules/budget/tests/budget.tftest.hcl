mock_provider "aws" {}

variables {
  name              = "example"
  monthly_limit_usd = 100
  email_addresses   = ["team@example.com"]
}

run "spending_and_forecast_are_told" {
  command = plan
  variables { cost_allocation_tags = { project = "example" } }
  assert {
    condition     = length(aws_budgets_budget.this["this"].notification) == 4 && length([for n in aws_budgets_budget.this["this"].notification : n if n.notification_type == "FORECASTED"]) == 1
    error_message = "Three shares spent, and the forecast."
  }
  assert {
    condition     = one(aws_budgets_budget.this["this"].cost_filter).values[0] == "user:project$example"
    error_message = "Only what carries the tag counts."
  }
  assert {
    condition     = aws_budgets_budget.this["this"].limit_amount == "100" && aws_budgets_budget.this["this"].limit_unit == "USD" && aws_budgets_budget.this["this"].time_unit == "MONTHLY" && aws_budgets_budget.this["this"].budget_type == "COST"
    error_message = "What a month may cost."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create            = false
    monthly_limit_usd = 0
    email_addresses   = []
  }
  assert {
    condition     = length(aws_budgets_budget.this) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                 = "a:b"
    account_id           = "1"
    monthly_limit_usd    = 0
    notify_at_percent    = [0]
    sns_topic_arns       = ["arn:a", "arn:b"]
    tags                 = { "aws:owner" = "me" }
    cost_allocation_tags = { "a$b" = "c" }
  }
  expect_failures = [var.name, var.account_id, var.monthly_limit_usd, var.notify_at_percent, var.sns_topic_arns, var.tags, var.cost_allocation_tags]
}

run "refuses_a_budget_that_tells_nobody" {
  command = plan
  variables { email_addresses = [] }
  expect_failures = [var.email_addresses]
}

run "refuses_what_is_no_address" {
  command = plan
  variables { email_addresses = ["nobody"] }
  expect_failures = [var.email_addresses]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_budgets_budget.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}
