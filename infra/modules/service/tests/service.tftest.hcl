mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { id = "role", arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:g" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f", version = "1" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f:live" }
  }
}

override_resource {
  target = module.function["shop-buy"].aws_lambda_alias.terraform
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:buy:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/buy:live" }
}

override_resource {
  target = module.function["shop-ship"].aws_lambda_alias.terraform
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:ship:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/ship:live" }
}

variables {
  stack            = "shop"
  env              = "test"
  name_prefix      = "example-test"
  catalogue_file   = "tests/fixtures/functions.json"
  release_manifest = "tests/fixtures/release.json"
  artifacts_bucket = "artifacts"
  http_api         = { id = "api", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api" }
  functions = {
    shop-buy  = { environment = { TABLE = "t" }, description = "POST /v1/orders" }
    shop-ship = { timeout_seconds = 60, queue_sources = { orders = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:orders" } } }
  }
}

run "functions_routes_and_artifacts_follow_the_catalogue_and_the_release" {
  command = apply
  assert {
    condition     = output.function_names == { shop-buy = "example-test-shop-buy", shop-ship = "example-test-shop-ship" } && keys(module.route) == ["shop-buy"]
    error_message = "The stack's functions, and routes for those that have some."
  }
  assert {
    condition     = output.functions.shop-buy.qualifier == "live" && output.manifest_version == "v1" && length(aws_s3_object.artifact) == 0
    error_message = "The alias is called; a release process has uploaded the zips."
  }
  assert {
    condition     = output.watch.shop-ship.name == "example-test-shop-ship" && output.watch.shop-ship.timeout_seconds == 60 && output.watch.shop-ship.max_iterator_age_seconds == null
    error_message = "Alarms need name and time-out."
  }
  assert {
    condition = jsonencode({ for key, route in module.route : key => route.settings }) == jsonencode({ shop-buy = {
      api_ids        = ["api"]
      authorizer_ids = []
      calls          = "AWS_PROXY by POST arn:aws:apigateway:us-east-1:lambda:path/buy:live, payload 2.0, 29000 ms"
      permission     = { "POST /v1/orders" = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:api/*/POST/v1/orders to example-test-shop-buy:live" }
    } }) && output.routes == { "POST /v1/orders" = "shop-buy AWS_IAM" }
    error_message = "A route calls its own function, and is signed where the catalogue says so: ${jsonencode({ for key, route in module.route : key => route.settings })}"
  }
  assert {
    condition = jsonencode(output.environment) == jsonencode({
      shop-buy  = { FUNCTION_KEY = "shop-buy", HOLDFAST_ENV = "test", LOG_LEVEL = "info", TABLE = "t" }
      shop-ship = { FUNCTION_KEY = "shop-ship", HOLDFAST_ENV = "test", LOG_LEVEL = "info" }
    })
    error_message = "What every function gets, and its own."
  }
  assert {
    condition     = { for key, function in module.function : key => function.source_code_hash } == { shop-buy = base64sha256("test"), shop-ship = base64sha256("ship") }
    error_message = "Each function has its own artifact."
  }
  assert {
    condition     = { for key, function in module.function : key => function.artifact } == { shop-buy = "artifacts/shop-buy/9f86.zip", shop-ship = "artifacts/shop-ship/e5d5.zip" }
    error_message = "Each function has its own artifact."
  }
  assert {
    condition     = { for key, function in module.function : key => function.description } == { shop-buy = "POST /v1/orders", shop-ship = "" } && output.settings.shop-ship.architectures == tolist(["x86_64"])
    error_message = "As the stack describes it, on the release's architecture."
  }
}

run "another_instance_of_a_function_gets_the_definition_of_that_function" {
  command = apply
  assert {
    condition = { for key, definition in output.definitions : key => "${definition.artifact.s3_key} ${definition.timeout_seconds} ${jsonencode(definition.environment)}" } == {
      shop-buy  = "shop-buy/9f86.zip 10 ${jsonencode(output.environment.shop-buy)}"
      shop-ship = "shop-ship/e5d5.zip 60 ${jsonencode(output.environment.shop-ship)}"
    }
    error_message = "Code, settings and environment: ${jsonencode(output.definitions)}"
  }
}

run "each_function_has_its_own_routes_and_the_release_says_the_architecture" {
  command = apply
  variables {
    catalogue_file   = "tests/fixtures/routes_of_the_second.json"
    release_manifest = "tests/fixtures/arm64.json"
  }
  assert {
    condition = jsonencode({ for key, route in module.route : key => route.settings }) == jsonencode({ shop-ship = {
      api_ids        = ["api"]
      authorizer_ids = []
      calls          = "AWS_PROXY by POST arn:aws:apigateway:us-east-1:lambda:path/ship:live, payload 2.0, 29000 ms"
      permission     = { "PUT /v1/parcels/{id}" = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:api/*/PUT/v1/parcels/* to example-test-shop-ship:live" }
    } })
    error_message = "The routes of the second function call it: ${jsonencode({ for key, route in module.route : key => route.settings })}"
  }
  assert {
    condition     = { for key, settings in output.settings : key => settings.architectures } == { shop-buy = tolist(["arm64"]), shop-ship = tolist(["arm64"]) }
    error_message = "Every function has the architecture of the release."
  }
}

run "routes_ask_the_authorizer_where_the_catalogue_says_so" {
  command = apply
  variables {
    catalogue_file = "tests/fixtures/custom.json"
    http_api       = { id = "api", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api", authorizer_id = "auth1" }
    functions = {
      shop-buy  = { runtime = "nodejs22.x", handler = "index.handler" }
      shop-ship = {}
    }
  }
  assert {
    condition     = { for key, route in module.route : key => jsonencode(route.settings.authorizer_ids) } == { shop-buy = "[\"auth1\"]", shop-ship = "[]" }
    error_message = "The authorizer decides about the routes of the first function only."
  }
  assert {
    condition     = { for key, definition in output.definitions : key => "${definition.runtime} ${definition.handler}" } == { shop-buy = "nodejs22.x index.handler", shop-ship = "provided.al2023 bootstrap" }
    error_message = "A function in another language than Rust."
  }
}

run "every_role_gets_the_boundary" {
  command = apply
  variables { permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary" }
  assert {
    condition     = output.permissions_boundary_arns == { shop-buy = "arn:aws:iam::123456789012:policy/boundary", shop-ship = "arn:aws:iam::123456789012:policy/boundary" }
    error_message = "A role without it is not limited."
  }
}

run "local_files_are_uploaded_where_nobody_else_does" {
  command = plan
  variables { upload_artifacts = true }
  assert {
    condition     = aws_s3_object.artifact["shop-buy"].key == "shop-buy/9f86.zip" && aws_s3_object.artifact["shop-buy"].bucket == "artifacts"
    error_message = "Under the manifest's key."
  }
}

run "refuses_a_missing_catalogue_and_manifest" {
  command = plan
  variables {
    catalogue_file           = "tests/fixtures/none.json"
    release_manifest         = "tests/fixtures/none.json"
    log_level                = "verbose"
    tags                     = { "aws:owner" = "me" }
    kms_key_arn              = "alias/mine"
    env                      = "Not An Environment"
    name_prefix              = "has space"
    artifacts_bucket         = "s3://bucket"
    alias_owner              = "both"
    log_retention_days       = 0
    code_signing_config_arn  = "csc-1"
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.permissions_boundary_arn, var.catalogue_file, var.release_manifest, var.log_level, var.tags, var.kms_key_arn, var.env, var.name_prefix, var.artifacts_bucket, var.alias_owner, var.log_retention_days, var.code_signing_config_arn]
}

run "refuses_functions_that_the_catalogue_does_not_know_and_an_incomplete_release" {
  command = plan
  variables {
    functions        = { shop-buy = {}, shop-return = {} }
    release_manifest = "tests/fixtures/incomplete.json"
  }
  expect_failures = [var.catalogue_file, var.release_manifest]
}

run "refuses_routes_without_an_api" {
  command = plan
  variables { http_api = null }
  expect_failures = [var.http_api]
}

run "who_uses_the_cache_runs_in_its_network" {
  command = apply
  variables {
    private_cache = {
      subnet_ids         = ["subnet-1", "subnet-2"]
      security_group_ids = ["sg-1"]
      connect_arns       = ["arn:aws:elasticache:us-east-1:123456789012:user:u"]
    }
    functions = {
      shop-buy = {
        environment = { CACHE_PROVIDER = "redis" }
        permissions = { Table = { actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"] } }
      }
      shop-ship = { permissions = { Bus = { actions = ["events:PutEvents"], resources = ["arn:aws:events:us-east-1:123456789012:event-bus/b"] } } }
    }
  }
  assert {
    condition     = output.in_cache_network == toset(["shop-buy"]) && module.function["shop-buy"].vpc == { subnet_ids = toset(["subnet-1", "subnet-2"]), security_group_ids = toset(["sg-1"]) } && module.function["shop-ship"].vpc == null && keys(output.vpc) == ["shop-buy"]
    error_message = "Only the function with CACHE_PROVIDER."
  }
  assert {
    condition     = contains(output.grants.shop-buy, "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:user:u") && contains(output.grants.shop-buy, "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/t") && !anytrue([for grant in output.grants.shop-ship : startswith(grant, "elasticache:")])
    error_message = "It may connect, besides what it needs anyway."
  }
}

run "what_has_an_endpoint_in_the_network_can_be_used_from_it" {
  command = apply
  variables {
    private_cache = {
      subnet_ids         = ["subnet-1", "subnet-2"]
      security_group_ids = ["sg-1"]
      connect_arns       = ["arn:aws:elasticache:us-east-1:123456789012:user:u"]
      endpoint_services  = ["kms"]
    }
    functions = {
      shop-buy = {
        environment = { CACHE_PROVIDER = "redis" }
        permissions = {
          Key = {
            actions    = ["kms:Decrypt"]
            resources  = ["arn:aws:kms:us-east-1:123456789012:key/k"]
            conditions = { StringEquals = { "kms:EncryptionContext:shop" = ["a"] } }
          }
        }
      }
      shop-ship = {}
    }
  }
  assert {
    condition     = contains(output.grants.shop-buy, "kms:Decrypt arn:aws:kms:us-east-1:123456789012:key/k if ${jsonencode({ StringEquals = { "kms:EncryptionContext:shop" = ["a"] } })}")
    error_message = "A permission keeps its condition."
  }
}

run "functions_with_routes_get_what_is_said_once_and_reserved_executions_are_said_by_key" {
  command = apply
  variables {
    http_environment     = { TRUSTED_PROXY = "cloudfront" }
    reserved_concurrency = { shop-buy = 3, elsewhere = 9 }
    functions = {
      shop-buy  = { reserved_concurrency = 1 }
      shop-ship = { reserved_concurrency = 2 }
    }
  }
  assert {
    condition     = { for key, environment in output.environment : key => try(environment.TRUSTED_PROXY, "") } == { shop-buy = "cloudfront", shop-ship = "" }
    error_message = "shop-ship has no route."
  }
  assert {
    condition     = output.reserved_concurrency == { shop-buy = 3, shop-ship = 2 }
    error_message = "What is said by key wins; other stacks' functions are none of this one's."
  }
}

run "a_level_below_info_passes_lambdas_own_filter_too" {
  command = apply
  variables { log_level = "trace" }
  assert {
    condition     = { for key, settings in output.settings : key => settings.log_level } == { shop-buy = "TRACE", shop-ship = "TRACE" } && alltrue([for settings in values(output.settings) : settings.system_log_level == "INFO"])
    error_message = "Lambda would drop every line that the function writes below INFO."
  }
}

run "a_level_above_info_does_not_filter_the_metrics" {
  command = apply
  variables { log_level = "error" }
  assert {
    condition     = { for key, settings in output.settings : key => settings.log_level } == { shop-buy = "INFO", shop-ship = "INFO" } && alltrue([for settings in values(output.settings) : settings.system_log_level == "WARN"]) && output.environment.shop-buy.LOG_LEVEL == "error"
    error_message = "The function filters its own lines; its metrics must pass Lambda."
  }
}

run "functions_that_send_themselves_work_are_not_stopped" {
  command = apply
  variables {
    functions = {
      shop-buy  = {}
      shop-ship = { recursive_loop_allowed = true }
    }
  }
  assert {
    condition     = output.recursive_loops == tolist(["shop-ship"])
    error_message = "The function that asks for it, and no other."
  }
}

run "refuses_fractions_of_executions_and_odd_names" {
  command = plan
  variables {
    http_environment     = { "trusted proxy" = "cloudfront" }
    reserved_concurrency = { shop-buy = 1.5 }
  }
  expect_failures = [var.http_environment, var.reserved_concurrency]
}

run "refuses_what_cannot_be_reached_from_the_caches_network" {
  command = plan
  variables {
    private_cache = {
      subnet_ids         = ["subnet-1"]
      security_group_ids = ["sg-1"]
      connect_arns       = ["arn:aws:elasticache:us-east-1:123456789012:user:u"]
    }
    functions = {
      shop-buy = {
        environment = { CACHE_PROVIDER = "redis" }
        permissions = { Bus = { actions = ["events:PutEvents"], resources = ["arn:aws:events:us-east-1:123456789012:event-bus/b"] } }
      }
      shop-ship = {}
    }
  }
  expect_failures = [var.private_cache]
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create           = false
    upload_artifacts = true
  }
  assert {
    condition     = length(module.function) + length(module.route) + length(aws_s3_object.artifact) == 0 && length(output.policy_documents) == 0
    error_message = "Nothing may be created."
  }
}

run "each_function_can_be_invoked_by_whoever_is_given_its_document" {
  command = apply
  assert {
    condition     = jsondecode(output.policy_documents.shop-buy.invoke).Statement[0] == { Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = ["arn:aws:lambda:us-east-1:123456789012:function:buy:live"] }
    error_message = "Through its alias."
  }
}

run "refuses_a_stack_and_sizes_that_cannot_be" {
  command = plan
  variables {
    stack     = "Not A Stack"
    functions = { shop-buy = { memory_size_mb = 64 }, shop-ship = {} }
  }
  expect_failures = [var.stack, var.functions]
}
