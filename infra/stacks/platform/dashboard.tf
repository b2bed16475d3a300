# One dashboard for the whole system: names follow from the catalogue, so it needs nothing of other stacks.
locals {
  catalogue = jsondecode(file(local.catalogue_file))

  own_metrics = [
    {
      title = "Signing in"
      stat  = "Sum"
      lines = [
        { function = "auth-login", name = "AUTHENTICATED", label = "without a second factor" },
        { function = "auth-mfa-verify", name = "AUTHENTICATED", label = "with a second factor" },
        { function = "auth-login", name = "INVALID_CREDENTIALS", label = "wrong password" },
      ]
    },
    {
      title = "Messages to sockets"
      stat  = "Sum"
      lines = [for name, label in { PUSH_DELIVERED = "delivered", PUSH_GONE = "socket gone", PUSH_THROTTLED = "throttled", PUSH_UNDELIVERABLE = "undeliverable", PUSH_DEAD_LETTERED = "dead letters" } : { function = "push-fanout", name = name, label = label }]
    },
    {
      title = "Time to a socket, p99 (ms)"
      stat  = "p99"
      lines = [{ function = "push-fanout", name = "PUSH_LATENCY", label = "push" }]
    },
  ]
  cache_metrics = [
    {
      title = "Validations"
      stat  = "Sum"
      lines = [for name, label in { CACHE_HIT = "hit", CACHE_MISS = "miss", CACHE_FALLBACK = "past the cache", CACHE_HEDGED = "hedged" } : { function = "sessions-current", name = name, label = label }]
    },
    {
      title = "Deletes that were not confirmed"
      stat  = "Sum"
      lines = [for function in ["auth-logout", "auth-refresh", "sessions-revoke", "sessions-revoke-all"] : { function = function, name = "CACHE_DELETE_UNCONFIRMED", label = function }]
    },
  ]
}

module "dashboard" {
  source = "../../modules/dashboard"

  create    = !local.is_local
  name      = local.name_prefix
  functions = { for key, entry in local.catalogue : key => "${local.name_prefix}-${key}" if try(entry.only, var.cache_provider) == var.cache_provider }
  queues    = { for key in local.queue_names : key => "${local.name_prefix}-${key}" }
  dead_letter_queues = { for key in concat(
    [for name in local.queue_names : "${name}-dlq"],
    ["relay-dlq"],
    [for key, entry in local.catalogue : "${key}-dlq" if can(entry.subscribes)],
    local.cache_is_redis ? ["repair-dlq"] : [],
  ) : key => "${local.name_prefix}-${key}" }

  metrics = concat(
    [
      {
        title = "HTTP requests"
        stat  = "Sum"
        lines = [for name, label in { Count = "all", "4xx" = "4xx", "5xx" = "5xx" } : { namespace = "AWS/ApiGateway", name = name, dimensions = { ApiId = module.http_api.id }, label = label }]
      },
      {
        title = "HTTP latency, p99 (ms)"
        stat  = "p99"
        lines = [for name, label in { Latency = "whole", IntegrationLatency = "function" } : { namespace = "AWS/ApiGateway", name = name, dimensions = { ApiId = module.http_api.id }, label = label }]
      },
    ],
    [for widget in concat(local.own_metrics, local.cache_is_redis ? local.cache_metrics : []) : {
      title = widget.title
      stat  = widget.stat
      lines = [for line in widget.lines : { namespace = "Holdfast", name = line.name, dimensions = { env = var.env, function = line.function }, label = line.label }]
    }],
  )
}
