locals {
  sessions_table    = module.context.input["platform/sessions-table-name"]
  connections_table = module.context.input["platform/connections-table-name"]
  connections_arn   = module.context.input["platform/connections-table-arn"]

  # Push reads sessions and never writes them.
  read_session = { actions = ["dynamodb:GetItem"], resources = [module.context.input["platform/sessions-table-arn"]] }

  # TOPIC_POLICY names public prefixes, or a function that decides: that one, and only then, may be called.
  ask_topic_policy = startswith(var.topic_policy, "arn:") ? {
    TopicPolicy = { actions = ["lambda:InvokeFunction"], resources = [var.topic_policy] }
  } : {}

  # PRESENCE_POLICY likewise.
  ask_presence_policy = startswith(var.presence_policy, "arn:") ? {
    PresencePolicy = { actions = ["lambda:InvokeFunction"], resources = [var.presence_policy] }
  } : {}

  connections = module.websocket_api.connections_arns
}

module "service" {
  source = "../../modules/service"

  stack                    = local.stack
  env                      = var.env
  name_prefix              = module.context.name_prefix
  catalogue_file           = local.catalogue_file
  release_manifest         = var.release_manifest
  artifacts_bucket         = module.context.artifacts_bucket
  upload_artifacts         = module.context.upload_artifacts
  log_level                = var.log_level
  log_retention_days       = var.log_retention_days
  alias_owner              = module.context.alias_owner
  reserved_concurrency     = var.reserved_concurrency
  http_environment         = module.context.http_environment
  kms_key_arn              = module.context.kms_key_arn
  permissions_boundary_arn = module.context.permissions_boundary_arn

  http_api = {
    id            = module.context.input["platform/http-api-id"]
    execution_arn = module.context.input["platform/http-api-execution-arn"]
  }

  functions = {
    push-ticket = {
      description = "POST /v1/push/tickets"
      environment = {
        ALLOWED_ORIGINS       = join(",", var.allowed_origins)
        SESSIONS_TABLE        = local.sessions_table
        MAX_SESSIONS_PER_USER = var.max_sessions_per_user
        CONNECTIONS_TABLE     = local.connections_table
        WS_URL                = local.ws_url
      }
      permissions = {
        Sessions    = local.read_session
        Connections = { actions = ["dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [local.connections_arn] }
      }
    }

    push-publish = {
      description = "POST /v1/messages (IAM)"
      environment = {
        CONNECTIONS_TABLE   = local.connections_table
        PUSH_QUEUE_URL      = module.queue["push"].url
        BROADCAST_QUEUE_URL = module.queue["broadcast"].url
      }
      permissions = {
        Connections = {
          actions   = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
          resources = [local.connections_arn]
        }
        Queues = { actions = ["sqs:SendMessage"], resources = [module.queue["push"].arn, module.queue["broadcast"].arn] }
      }
    }

    push-history = {
      description = "GET /v1/channels/{channel}/messages"
      environment = {
        ALLOWED_ORIGINS       = join(",", var.allowed_origins)
        SESSIONS_TABLE        = local.sessions_table
        MAX_SESSIONS_PER_USER = var.max_sessions_per_user
        CONNECTIONS_TABLE     = local.connections_table
        TOPIC_POLICY          = var.topic_policy
      }
      permissions = merge(local.ask_topic_policy, {
        Sessions    = local.read_session
        Connections = { actions = ["dynamodb:GetItem", "dynamodb:Query"], resources = [local.connections_arn] }
      })
    }

    push-authorizer = {
      description = "Who may open a socket; only reads"
      environment = {
        SESSIONS_TABLE        = local.sessions_table
        MAX_SESSIONS_PER_USER = var.max_sessions_per_user
        CONNECTIONS_TABLE     = local.connections_table
        ALLOWED_ORIGINS       = join(",", var.allowed_origins)
      }
      permissions = {
        Sessions    = local.read_session
        Connections = { actions = ["dynamodb:GetItem"], resources = [local.connections_arn] }
      }
    }

    push-connect = {
      description = "$connect"
      environment = {
        SESSIONS_TABLE           = local.sessions_table
        MAX_SESSIONS_PER_USER    = var.max_sessions_per_user
        CONNECTIONS_TABLE        = local.connections_table
        CLOSE_QUEUE_URL          = module.queue["close"].url
        WS_CALLBACK_URL          = local.ws_callback_url
        CONNECTION_TTL_SECONDS   = var.connection_ttl_seconds
        MAX_CONNECTIONS_PER_USER = var.max_connections_per_user
      }
      permissions = {
        Sessions = local.read_session
        Connections = {
          # The check is for the version before, which is still served while this one is deployed.
          actions   = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
          resources = [local.connections_arn]
        }
        Queues  = { actions = ["sqs:SendMessage"], resources = [module.queue["close"].arn] }
        Sockets = { actions = ["execute-api:ManageConnections"], resources = [local.connections.GET] }
      }
    }

    push-default = {
      description = "Every frame of a client"
      # A thousand missed messages are a thousand posts, one after another: as long as API Gateway waits at all.
      timeout_seconds = 29
      environment = {
        SESSIONS_TABLE         = local.sessions_table
        MAX_SESSIONS_PER_USER  = var.max_sessions_per_user
        CONNECTIONS_TABLE      = local.connections_table
        WS_CALLBACK_URL        = local.ws_callback_url
        TOPIC_POLICY           = var.topic_policy
        PRESENCE_POLICY        = var.presence_policy
        CONNECTION_TTL_SECONDS = var.connection_ttl_seconds

        RECOVERY_POSTS_PER_SECOND = local.posts_per_second.recovery
      }
      permissions = merge(local.ask_topic_policy, local.ask_presence_policy, {
        Sessions = local.read_session
        Connections = {
          actions = [
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
          ]
          resources = [local.connections_arn]
        }
        Sockets = { actions = ["execute-api:ManageConnections"], resources = [local.connections.POST, local.connections.DELETE, local.connections.GET] }
      })
    }

    push-disconnect = {
      description = "$disconnect (best effort)"
      environment = { CONNECTIONS_TABLE = local.connections_table }
      permissions = {
        Connections = {
          actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
          resources = [local.connections_arn]
        }
      }
    }

    push-fanout = {
      description = "Messages to sockets"
      # Lambda gives CPU by memory, and signing and TLS are most of a post: 256 MB are 0.145 of a processor.
      memory_size_mb  = var.fanout_memory_mb
      timeout_seconds = local.queue_timeouts.push
      # Messages that wait for a busy user, a throttled gateway or the next page of a broadcast go back to the queue, each a bounded number of times.
      recursive_loop_allowed = true
      environment = {
        SESSIONS_TABLE        = local.sessions_table
        MAX_SESSIONS_PER_USER = var.max_sessions_per_user
        CONNECTIONS_TABLE     = local.connections_table
        WS_CALLBACK_URL       = local.ws_callback_url
        PUSH_QUEUE_URL        = module.queue["push"].url
        PUSH_DLQ_URL          = module.queue["push"].dlq_url
        BROADCAST_QUEUE_URL   = module.queue["broadcast"].url
        BROADCAST_DLQ_URL     = module.queue["broadcast"].dlq_url

        PUSH_POSTS_PER_SECOND      = local.posts_per_worker.direct
        BROADCAST_POSTS_PER_SECOND = local.posts_per_worker.broadcast
      }
      permissions = {
        Sessions = local.read_session
        Connections = {
          actions = [
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
          ]
          resources = [local.connections_arn]
        }
        Index = { actions = ["dynamodb:Query"], resources = ["${local.connections_arn}/index/GSI1"] }
        Queues = {
          actions = ["sqs:SendMessage"]
          resources = [
            module.queue["push"].arn,
            module.queue["push"].dlq_arn,
            module.queue["broadcast"].arn,
            module.queue["broadcast"].dlq_arn,
          ]
        }
        Sockets = { actions = ["execute-api:ManageConnections"], resources = [local.connections.POST, local.connections.GET] }
      }
      queue_sources = {
        push      = { queue_arn = module.queue["push"].arn, maximum_concurrency = local.workers.direct }
        broadcast = { queue_arn = module.queue["broadcast"].arn, maximum_concurrency = local.workers.broadcast }
      }
    }

    push-close-sockets = {
      description     = "Closes the sockets of ended sessions"
      timeout_seconds = local.queue_timeouts.close
      # A close that is not confirmed is looked at again.
      recursive_loop_allowed = true
      environment = {
        CONNECTIONS_TABLE = local.connections_table
        WS_CALLBACK_URL   = local.ws_callback_url
        CLOSE_QUEUE_URL   = module.queue["close"].url
      }
      permissions = {
        Connections = {
          actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query"]
          resources = [local.connections_arn]
        }
        Queues  = { actions = ["sqs:SendMessage"], resources = [module.queue["close"].arn] }
        Sockets = { actions = ["execute-api:ManageConnections"], resources = [local.connections.POST, local.connections.DELETE, local.connections.GET] }
      }
      queue_sources = {
        close = { queue_arn = module.queue["close"].arn, maximum_concurrency = var.close_maximum_concurrency }
      }
    }
  }
}
