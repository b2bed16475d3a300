mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  name_prefix = "example"
  repository  = "owner/name"
  roles = {
    plan   = { subjects = ["pull_request"], managed_policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"] }
    deploy = { subjects = ["environment:production"], policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

run "a_role_is_for_its_subjects_only" {
  command = apply
  assert {
    condition = jsondecode(aws_iam_role.this["deploy"].assume_role_policy).Statement[0].Condition == { StringEquals = {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = ["repo:owner/name:environment:production"]
    } }
    error_message = "The subject must be compared as it is."
  }
  assert {
    condition     = keys(aws_iam_role_policy.this) == ["deploy"] && length(aws_iam_role_policy_attachment.this) == 1
    error_message = "Each role gets its own policy and no other's."
  }
  assert {
    condition     = jsonencode(output.subjects) == jsonencode({ deploy = ["environment:production"], plan = ["pull_request"] }) && output.policies == { deploy = var.roles.deploy.policy_json }
    error_message = "The outputs say who may take a role, and what it has."
  }
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.this["plan"].assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = ["repo:owner/name:pull_request"]
      } }
    }]) && alltrue([for role in aws_iam_role.this : role.max_session_duration == 3600])
    error_message = "GitHub's tokens for this repository's jobs, for an hour."
  }
  assert {
    condition     = aws_iam_openid_connect_provider.github["this"].url == "https://token.actions.githubusercontent.com" && aws_iam_openid_connect_provider.github["this"].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "GitHub's tokens that are meant for AWS."
  }
}

run "subjects_with_numbers_are_accepted_beside_those_with_names" {
  command = apply
  variables {
    repository_ids = { owner = "123456", repository = "456789" }
    roles          = { deploy = { subjects = ["environment:production", "ref:refs/heads/release@2"], max_session_seconds = 14400 } }
  }
  assert {
    condition = jsondecode(aws_iam_role.this["deploy"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == [
      "repo:owner/name:environment:production",
      "repo:owner/name:ref:refs/heads/release@2",
      "repo:owner@123456/name@456789:environment:production",
      "repo:owner@123456/name@456789:ref:refs/heads/release@2",
    ]
    error_message = "Both forms that GitHub sends, compared as they are."
  }
  assert {
    condition     = jsonencode(output.trusted_repositories) == jsonencode({ deploy = ["owner/name", "owner@123456/name@456789"] }) && jsonencode(output.subjects) == jsonencode({ deploy = ["environment:production", "ref:refs/heads/release@2"] })
    error_message = "The outputs name each form and each subject once."
  }
  assert {
    condition     = output.max_session_seconds == { deploy = 14400 }
    error_message = "A deploy with a long canary needs a long session."
  }
}

run "refuses_numbers_that_are_none" {
  command = plan
  variables {
    repository_ids = { owner = "owner", repository = "*" }
    roles          = { a = { subjects = ["pull_request"], max_session_seconds = 60 } }
  }
  expect_failures = [var.repository_ids, var.roles]
}

run "an_existing_provider_is_used" {
  command = apply
  variables {
    create_provider          = false
    provider_arn             = "arn:aws:iam::123456789012:oidc-provider/existing"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "A role without it is not limited."
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && jsondecode(aws_iam_role.this["plan"].assume_role_policy).Statement[0].Principal.Federated == "arn:aws:iam::123456789012:oidc-provider/existing"
    error_message = "There can be one provider in an account."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create     = false
    repository = ""
  }
  assert {
    condition     = length(aws_iam_role.this) + length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name_prefix              = "has space"
    repository               = "owner/*"
    create_provider          = false
    roles                    = { a = { subjects = [] } }
    tags                     = { "aws:owner" = "me" }
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.name_prefix, var.repository, var.provider_arn, var.roles, var.tags, var.permissions_boundary_arn]
}

run "refuses_wildcard_subjects" {
  command = plan
  variables { roles = { a = { subjects = ["*"] } } }
  expect_failures = [var.roles]
}

run "refuses_an_administrator" {
  command = plan
  variables { roles = { a = { subjects = ["pull_request"], managed_policy_arns = ["arn:aws:iam::aws:policy/AdministratorAccess"] } } }
  expect_failures = [var.roles]
}

run "another_issuer_has_subjects_of_its_own" {
  command = apply
  variables {
    issuer_url = "https://gitlab.example.com"
    audience   = "https://gitlab.example.com"
    roles      = { deploy = { exact_subjects = ["project_path:shop/orders:ref_type:branch:ref:main"] } }
  }
  assert {
    condition     = aws_iam_openid_connect_provider.github["this"].url == "https://gitlab.example.com" && aws_iam_openid_connect_provider.github["this"].client_id_list == toset(["https://gitlab.example.com"])
    error_message = "The issuer's own provider and audience."
  }
  assert {
    condition = jsondecode(aws_iam_role.this["deploy"].assume_role_policy).Statement[0].Condition == { StringEquals = {
      "gitlab.example.com:aud" = "https://gitlab.example.com"
      "gitlab.example.com:sub" = ["project_path:shop/orders:ref_type:branch:ref:main"]
    } }
    error_message = "The subject must be compared as it is, under the issuer's own claims."
  }
  assert {
    condition     = output.subjects.deploy == tolist(["project_path:shop/orders:ref_type:branch:ref:main"]) && length(output.trusted_repositories.deploy) == 0
    error_message = "The outputs say who may take the role."
  }
}

run "refuses_an_issuer_without_tls_and_a_subject_for_everybody" {
  command = plan
  variables {
    issuer_url = "http://gitlab.example.com"
    audience   = "*"
    roles      = { deploy = { exact_subjects = ["project_path:shop/*"] } }
  }
  expect_failures = [var.issuer_url, var.audience, var.roles]
}
