# Limits of single routes. A flood of requests to a route that anybody may call is refused by API Gateway at that route's limit; what is left
# of the account's requests is for the others. Validation and refresh have limits of their own, so that no other route uses them up.
locals {
  # Percent of account_requests_per_second. The first four hash a password or check a code; the others answer from little work.
  anonymous_percent = {
    "POST /v1/auth/login"          = 5
    "POST /v1/auth/mfa/verify"     = 5
    "POST /v1/auth/reauthenticate" = 5
    "POST /v1/users"               = 1
    "GET /v1/health"               = 1
    "HEAD /v1/health"              = 1
    "$default"                     = 1
  }
  hot_routes = ["GET /v1/sessions/current", "POST /v1/auth/refresh", "POST /v1/sessions/introspect"]

  http_throttling = var.http_throttling != null ? var.http_throttling : {
    rate_limit  = floor(var.account_requests_per_second * 40 / 100)
    burst_limit = floor(var.account_requests_per_second * 20 / 100)
  }

  route_throttles = merge(
    { for key, percent in local.anonymous_percent : key => {
      rate_limit  = max(1, floor(var.account_requests_per_second * percent / 100))
      burst_limit = max(1, floor(var.account_requests_per_second * percent / 100))
    } },
    { for key in local.hot_routes : key => local.http_throttling },
    var.route_throttles,
  )

  # The other stacks attach their routes after this one is applied, and say so: `make deploy` applies this stack once more at the end.
  attached_routes = toset(flatten([for parameters in data.aws_ssm_parameters_by_path.routes : [for value in nonsensitive(parameters.values) : split(",", value)]]))
}

data "aws_ssm_parameters_by_path" "routes" {
  # The local cloud does not throttle.
  for_each = module.context.is_local ? {} : { this = true }

  path = "${module.context.ssm_prefix}/routes"
}
