# ops-cache-status asks ElastiCache what the cache is made of and whether it is well: every five minutes, for the metrics, and
# whenever an operator does. It needs the service, not the cache, so it is outside the VPC.
locals {
  cache_name = module.context.name_prefix
  # An ARN of this account and Region without what follows.
  elasticache_arns = replace(regex("^arn:[^:]+:dynamodb:[^:]+:[^:]+:", module.sessions_table.arn), ":dynamodb:", ":elasticache:")

  cache_status = {
    ops-cache-status = {
      description = "Topology and state of the cache, from ElastiCache"
      environment = { CACHE_NAME = local.cache_name }
      permissions = {
        Cache = {
          actions = ["elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups", "elasticache:DescribeServerlessCaches"]
          # A member of a group is called <group>-<number>.
          resources = [
            "${local.elasticache_arns}cluster:${local.cache_name}*",
            "${local.elasticache_arns}replicationgroup:${local.cache_name}",
            "${local.elasticache_arns}serverlesscache:${local.cache_name}",
          ]
        }
      }
    }
  }

  # The local cloud has no ElastiCache to look at, and denies DescribeServerlessCaches to a role that names its resources: every look would fail.
  cache_watched = module.context.cache_is_redis && !module.context.is_local ? { this = true } : {}
}

resource "aws_cloudwatch_event_rule" "cache_status" {
  for_each = local.cache_watched

  name                = "${module.context.name_prefix}-cache-status"
  description         = "Reads the state of the cache."
  schedule_expression = "rate(5 minutes)"
}

resource "aws_cloudwatch_event_target" "cache_status" {
  for_each = local.cache_watched

  rule      = aws_cloudwatch_event_rule.cache_status["this"].name
  target_id = "function"
  arn       = module.service.functions["ops-cache-status"].arn
  input     = "{}"
}

resource "aws_lambda_permission" "cache_status" {
  for_each = local.cache_watched

  statement_id  = "schedule"
  action        = "lambda:InvokeFunction"
  function_name = module.service.function_names["ops-cache-status"]
  qualifier     = module.service.functions["ops-cache-status"].qualifier
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.cache_status["this"].arn
}
