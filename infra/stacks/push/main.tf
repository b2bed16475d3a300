locals {
  # What other stacks publish, by "<stack>/<name>".
  inputs = toset([
    "platform/http-api-id",
    "platform/http-api-execution-arn",
    "platform/kms-key-arn",
    "platform/sessions-table-name",
    "platform/sessions-table-arn",
    "platform/connections-table-name",
    "platform/connections-table-arn",
  ])

  outputs = {
    ws-url              = local.ws_url
    ws-callback-url     = local.ws_callback_url
    push-queue-url      = module.queue["push"].url
    push-queue-arn      = module.queue["push"].arn
    broadcast-queue-url = module.queue["broadcast"].url
    broadcast-queue-arn = module.queue["broadcast"].arn
    close-queue-url     = module.queue["close"].url
    close-queue-arn     = module.queue["close"].arn
  }

  ws_stage = "v1"
  # The local cloud serves sockets and @connections under a path of its own address.
  ws_local        = "${var.local_endpoint}/_aws/execute-api/${module.websocket_api.id}/${local.ws_stage}"
  ws_aws          = "${module.websocket_api.id}.execute-api.${var.region}.amazonaws.com/${local.ws_stage}"
  ws_url          = module.context.is_local ? replace(local.ws_local, "/^http:/", "ws:") : local.has_domain ? module.domain.websocket_url : "wss://${local.ws_aws}"
  ws_callback_url = module.context.is_local ? local.ws_local : "https://${local.ws_aws}"

  # Function time-out of each queue's reader; visibility follows from it.
  queue_timeouts = { push = 60, broadcast = 60, close = 60 }
}

# Direct and broadcast traffic apart: a broadcast must not stand before a user's message.
module "queue" {
  source   = "../../modules/sqs-queue"
  for_each = local.queue_timeouts

  name                       = "${module.context.name_prefix}-${each.key}"
  consumer_timeout_seconds   = each.value
  visibility_timeout_seconds = 6 * each.value
  kms_key_arn                = module.context.kms_key_arn
  # The local cloud has no TLS: this policy would lock the queues for everybody.
  deny_insecure_transport = !module.context.is_local
}

module "websocket_api" {
  source = "../../modules/websocket-api"

  name        = "${module.context.name_prefix}-ws"
  description = "Holdfast WebSocket API (${var.env})."
  stage_name  = local.ws_stage
  throttling  = local.websocket_throttling

  # Every frame goes to $default, except the keep-alive. The text after the action keeps frames from naming $connect and $disconnect.
  route_selection_expression = "$${request.body.action}-frame"
  unanswered_routes          = { "keepalive-frame" = local.keep_alive_throttling }

  authorizer = {
    function_name      = module.service.functions["push-authorizer"].name
    function_qualifier = module.service.functions["push-authorizer"].qualifier
    invoke_arn         = module.service.functions["push-authorizer"].invoke_arn
    # All listed sources must be present, and the ticket may come in the query or as a sub-protocol: only Host is always there.
    identity_sources = ["route.request.header.Host"]
  }

  routes = {
    for key, entry in jsondecode(file(local.catalogue_file)) : entry.websocket => {
      function_name      = module.service.functions[key].name
      function_qualifier = module.service.functions[key].qualifier
      invoke_arn         = module.service.functions[key].invoke_arn
    } if entry.stack == local.stack && try(entry.websocket != "authorizer", false)
  }

  log_retention_days = var.log_retention_days
  kms_key_arn        = module.context.kms_key_arn
  api_tags           = module.context.api_tags.ws
}

# The local cloud evaluates no alarms.
module "alarms" {
  source = "../../modules/alarms"

  create      = !module.context.is_local
  name_prefix = "${module.context.name_prefix}-${local.stack}"
  topic_arns  = var.alarm_topic_arns
  functions   = module.service.watch
  runbooks    = module.context.runbooks

  custom = {
    push-latency = {
      description = "Messages reach sockets late: p99 above ${var.push_p99_milliseconds} ms."
      metrics = {
        value = { namespace = "Holdfast", name = "PUSH_LATENCY", stat = "p99", dimensions = { env = var.env, function = "push-fanout" } }
      }
      threshold = var.push_p99_milliseconds
    }
    push-forbidden = {
      description = "API Gateway refuses posts to sockets: the configuration is wrong, and nothing is delivered."
      metrics = {
        value = { namespace = "Holdfast", name = "PUSH_FORBIDDEN", stat = "Sum", dimensions = { env = var.env, function = "push-fanout" } }
      }
      threshold = 0
      rollback  = true
    }
    push-throttled = {
      description = "API Gateway throttles posts to sockets: the account's request rate is used up."
      metrics = {
        throttled = { namespace = "Holdfast", name = "PUSH_THROTTLED", stat = "Sum", dimensions = { env = var.env, function = "push-fanout" } }
        delivered = { namespace = "Holdfast", name = "PUSH_DELIVERED", stat = "Sum", dimensions = { env = var.env, function = "push-fanout" } }
      }
      expression = "IF(throttled + FILL(delivered, 0) > 0, 100 * throttled / (throttled + FILL(delivered, 0)), 0)"
      threshold  = 10
    }
    push-gone = {
      description = "Most posts reach closed sockets: clients disconnect without a $disconnect event, or the event is not processed."
      metrics = {
        gone      = { namespace = "Holdfast", name = "PUSH_GONE", stat = "Sum", dimensions = { env = var.env, function = "push-fanout" } }
        delivered = { namespace = "Holdfast", name = "PUSH_DELIVERED", stat = "Sum", dimensions = { env = var.env, function = "push-fanout" } }
      }
      expression = "IF(gone + FILL(delivered, 0) > 100, 100 * gone / (gone + FILL(delivered, 0)), 0)"
      threshold  = 50
    }
    recursion-dropped = {
      description = "Lambda stops a chain of invocations as a loop and drops its message: a push or a close is lost."
      metrics = {
        fanout = { namespace = "AWS/Lambda", name = "RecursiveInvocationsDropped", stat = "Sum", dimensions = { FunctionName = module.service.function_names["push-fanout"] } }
        close  = { namespace = "AWS/Lambda", name = "RecursiveInvocationsDropped", stat = "Sum", dimensions = { FunctionName = module.service.function_names["push-close-sockets"] } }
      }
      expression = "FILL(fanout, 0) + FILL(close, 0)"
      threshold  = 0
      # One dropped message raises the alarm.
      period_seconds      = 60
      evaluation_periods  = 1
      datapoints_to_alarm = 1
    }
    socket-errors = {
      description = "The WebSocket API cannot call its functions."
      metrics = {
        integration = { namespace = "AWS/ApiGateway", name = "IntegrationError", stat = "Sum", dimensions = { ApiId = module.websocket_api.id } }
        execution   = { namespace = "AWS/ApiGateway", name = "ExecutionError", stat = "Sum", dimensions = { ApiId = module.websocket_api.id } }
      }
      expression = "FILL(integration, 0) + FILL(execution, 0)"
      threshold  = 5
      rollback   = true
    }
  }

  queues = {
    for key in keys(local.queue_timeouts) : key => {
      name     = "${module.context.name_prefix}-${key}"
      dlq_name = "${module.context.name_prefix}-${key}-dlq"
    }
  }
}

locals {
  # For declarations.tf.
  own_settings = merge(
    { for pair in flatten([for key, queue in module.queue : [for kind, settings in queue.settings : { name = "queue ${key} ${kind}", settings = settings }]]) : pair.name => pair.settings },
    {
      "recursive loops" = { allowed = module.service.recursive_loops }
      parameter         = { for key, parameter in aws_ssm_parameter.output : key => "${parameter.name} = ${nonsensitive(parameter.value)}" }
      "websocket api"   = module.websocket_api.settings
      domain            = module.domain.settings
    },
  )
}
