mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables { env = "test" }

run "buckets_are_named_after_the_account" {
  command = apply
  assert {
    condition     = local.state_bucket == "holdfast-test-state-123456789012" && local.artifacts_bucket == "holdfast-test-artifacts-123456789012" && length(aws_api_gateway_account.this) == 1
    error_message = "Names of buckets are one in all of AWS."
  }
  assert {
    condition     = output.pipeline_role_arns == {} || length(output.pipeline_role_arns) == 0
    error_message = "Without a repository there are no roles."
  }
}

run "a_pipeline_can_deploy_this_environment_and_not_widen_itself" {
  command = apply
  variables { github_repository = "owner/name" }
  assert {
    condition     = toset(keys(output.pipeline_role_arns)) == toset(["plan", "deploy"])
    error_message = "One role to plan, one to deploy."
  }
  assert {
    condition     = length([for statement in jsondecode(local.deploy_policy).Statement : statement if statement.Effect == "Deny" && contains(statement.Resource, "arn:aws:iam::123456789012:role/holdfast-test-deploy")]) == 1
    error_message = "A pipeline must not change its own role."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(local.deploy_policy).Statement : statement.Sid == "Unscoped" || !contains(statement.Resource, "*")])
    error_message = "Only what AWS gives no resources to name is allowed on \"*\"."
  }
  assert {
    condition     = alltrue([for action in local.deploy_unscoped_actions : !endswith(action, ":*") && action != "iam:PassRole"])
    error_message = "No whole service, and no passing of roles, on \"*\"."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(local.deploy_policy).Statement : statement.Condition.StringEquals["iam:PassedToService"] == ["lambda.amazonaws.com", "vpc-flow-logs.amazonaws.com"] if contains(statement.Action, "iam:PassRole")])
    error_message = "Roles can be given to functions and flow logs only."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(local.deploy_policy).Statement : can(statement.Condition.StringEquals["aws:ResourceTag/environment"]) if anytrue([for action in statement.Action : startswith(action, "ec2:Delete")])])
    error_message = "Networks of others must not be removed."
  }
}

run "the_policy_fits_with_the_longest_names" {
  command = apply
  variables {
    env               = "twenty-characters-xx"
    name_prefix       = "a-prefix-of-forty-characters-is-allowed-"
    region            = "ap-southeast-1"
    github_repository = "owner/name"
  }
  assert {
    condition     = length(local.deploy_policy) <= 10240
    error_message = "IAM takes at most 10240 characters of inline policy; there are ${length(local.deploy_policy)}."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    env                 = "Test"
    region              = "mars"
    allowed_account_ids = ["1"]
    name_prefix         = "Upper"
    local_endpoint      = "http://10.0.0.1:4566"
    github_repository   = "owner"
    monthly_budget_usd  = -1
  }
  expect_failures = [var.env, var.region, var.allowed_account_ids, var.name_prefix, var.local_endpoint, var.github_repository, var.monthly_budget_usd]
}

run "refuses_a_budget_that_tells_nobody" {
  command = plan
  variables { monthly_budget_usd = 10 }
  expect_failures = [var.budget_email_addresses]
}
