locals {
  account   = module.context.account_id
  partition = module.context.partition

  # Names of buckets are one in all of AWS: the account makes them so.
  state_bucket     = "${module.context.name_prefix}-state-${local.account}"
  artifacts_bucket = "${module.context.name_prefix}-artifacts-${local.account}"
}

# State of all stacks, this one's too (after the first apply, with `terraform init -migrate-state`). The lock is a file
# beside the state (use_lockfile).
module "state_bucket" {
  source = "../../modules/s3-bucket"

  name                               = local.state_bucket
  noncurrent_version_expiration_days = 365
  access_log_bucket                  = var.access_log_bucket
}

# Zips of the functions under <function>/<sha256>.zip. Nothing expires: a rollback needs the old ones.
module "artifacts_bucket" {
  source = "../../modules/s3-bucket"

  name              = local.artifacts_bucket
  access_log_bucket = var.access_log_bucket
}

# One per account and Region: without it WebSocket stages cannot write logs, and their apply fails.
resource "aws_iam_role" "api_gateway_logs" {
  for_each = var.manage_api_gateway_account ? { this = true } : {}

  name        = "${module.context.name_prefix}-api-gateway-logs"
  description = "Lets API Gateway write its logs."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

# API Gateway checks that the role could write to any group, so the managed policy it is.
resource "aws_iam_role_policy_attachment" "api_gateway_logs" {
  for_each = aws_iam_role.api_gateway_logs

  role       = each.value.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  for_each = aws_iam_role.api_gateway_logs

  cloudwatch_role_arn = each.value.arn

  depends_on = [aws_iam_role_policy_attachment.api_gateway_logs]
}

# Roles of the pipelines: no long-lived keys. Planning reads how things are set up, and no data; deploying is bound to the GitHub environment, whose
# rules (reviewers, branches) guard it.
module "oidc" {
  source = "../../modules/oidc"

  create          = var.github_repository != ""
  name_prefix     = module.context.name_prefix
  repository      = var.github_repository
  repository_ids  = var.github_repository_ids
  create_provider = var.create_github_provider
  provider_arn    = var.create_github_provider ? null : "arn:${local.partition}:iam::${local.account}:oidc-provider/token.actions.githubusercontent.com"

  roles = {
    plan = {
      description         = var.pull_requests_may_plan ? "Plans ${var.env} for pull requests and, on main, looks for drift: reads only." : "On main, looks for drift of ${var.env}: reads only."
      subjects            = concat(var.pull_requests_may_plan ? ["pull_request"] : [], ["ref:refs/heads/main"])
      policy_json         = local.plan_policy
      managed_policy_arns = ["arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"]
    }
    deploy = {
      description = "Deploys ${var.env}."
      # A canary of two hours, with the build and the applies before it, must not outlive its credentials.
      max_session_seconds = 14400
      subjects            = ["environment:${var.env}"]
      policy_json         = local.deploy_policy
      managed_policy_arns = [local.names_policy_arn]
    }
  }

  # The role is given the policy by its name.
  depends_on = [aws_iam_policy.names]
}

module "budget" {
  source = "../../modules/budget"

  create            = var.monthly_budget_usd > 0
  account_id        = local.account
  name              = module.context.name_prefix
  monthly_limit_usd = var.monthly_budget_usd
  email_addresses   = var.budget_email_addresses
}
