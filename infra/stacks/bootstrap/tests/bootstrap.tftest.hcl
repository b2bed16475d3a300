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

run "with_default_settings" {
  command = apply

  # Buckets are named after the account.
  assert {
    condition     = local.state_bucket == "holdfast-test-state-123456789012" && local.artifacts_bucket == "holdfast-test-artifacts-123456789012" && length(aws_api_gateway_account.this) == 1
    error_message = "Names of buckets are one in all of AWS."
  }
  assert {
    condition     = module.context.permissions_boundary_arn == null
    error_message = "The boundary is made here: it cannot be looked up before."
  }
  assert {
    condition     = output.pipeline_role_arns == {} || length(output.pipeline_role_arns) == 0
    error_message = "Without a repository there are no roles."
  }

  # The boundary has what functions and flow logs are given, and no rights over rights.
  assert {
    condition = alltrue(flatten([for statement in jsondecode(local.boundary_policy).Statement : [
      for action in statement.Action : !strcontains(action, "*") && !startswith(action, "iam:") && !startswith(action, "sts:")
    ]]))
    error_message = "Actions one by one, and none that gives rights."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(local.boundary_policy).Statement : statement.Sid == "Unscoped" || alltrue([for resource in statement.Resource : startswith(resource, "arn:aws:")])])
    error_message = "Only what AWS gives no resources to name is allowed on \"*\"."
  }
  assert {
    condition = alltrue([for asked in [
      "logs:PutLogEvents arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/holdfast-test-auth-login:log-stream:s",
      "logs:PutLogEvents arn:aws:logs:us-east-1:123456789012:log-group:/aws/vpc/holdfast-test:log-stream:s",
      "logs:DescribeLogGroups arn:aws:logs:us-east-1:123456789012:log-group:*",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/holdfast-test-sessions",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/holdfast-test-connections/index/GSI1",
      "dynamodb:GetRecords arn:aws:dynamodb:us-east-1:123456789012:table/holdfast-test-sessions/stream/2026-01-01T00:00:00.000",
      "dynamodb:ListStreams arn:aws:dynamodb:us-east-1:123456789012:table/holdfast-test-sessions/stream/*",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:holdfast-test-relay-dlq",
      "events:PutEvents arn:aws:events:us-east-1:123456789012:event-bus/holdfast-test",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:abc123/v1/POST/@connections/*",
      "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:serverlesscache:holdfast-test",
      "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:replicationgroup:holdfast-test",
      "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:user:holdfast-test-app",
      "elasticache:DescribeCacheClusters arn:aws:elasticache:us-east-1:123456789012:cluster:holdfast-test-001",
      "kms:Decrypt arn:aws:kms:us-east-1:123456789012:key/1",
      "ec2:CreateNetworkInterface *",
      "xray:PutTraceSegments *",
      ] : anytrue(flatten([for statement in jsondecode(local.boundary_policy).Statement : [
        for resource in statement.Resource : contains(statement.Action, split(" ", asked)[0]) && can(regex("^${replace(resource, "*", ".*")}$", split(" ", asked)[1]))
    ]]))])
    error_message = "What a function is given by its stack must pass."
  }
  assert {
    condition     = alltrue([for asked in ["table/holdfast-other-sessions", "table/sessions"] : !can(regex("^${replace(local.boundary_statements.Tables.resources[0], "*", ".*")}$", "arn:aws:dynamodb:us-east-1:123456789012:${asked}"))])
    error_message = "Another environment's tables must not."
  }
  assert {
    condition     = [for statement in jsondecode(local.boundary_policy).Statement : statement.Condition if contains(statement.Action, "kms:Decrypt")] == [{ StringEqualsIfExists = { "aws:ResourceTag/environment" = ["test"] } }]
    error_message = "A key that says it is another environment's is not used."
  }
}

run "with_a_repository_a_pipeline_gets_roles" {
  command = apply
  variables { github_repository = "owner/name" }

  # A pipeline can deploy this environment and not widen itself.
  assert {
    condition     = toset(keys(output.pipeline_role_arns)) == toset(["plan", "deploy"])
    error_message = "One role to plan, one to deploy."
  }
  assert {
    condition     = length([for statement in jsondecode(local.deploy_policy).Statement : statement if statement.Effect == "Deny" && contains(statement.Resource, "arn:aws:iam::123456789012:role/holdfast-test-deploy")]) == 1
    error_message = "A pipeline must not change its own role."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(local.deploy_policy).Statement : contains(["Sources", "Unscoped"], statement.Sid) || statement.Effect == "Deny" || !contains(statement.Resource, "*")])
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
    condition     = alltrue([for statement in jsondecode(local.deploy_policy).Statement : can(statement.Condition.StringEquals["aws:ResourceTag/environment"]) if anytrue([for action in statement.Action : startswith(action, "ec2:Delete") && action != "ec2:DeleteNetworkInterface"])])
    error_message = "Networks of others must not be removed."
  }

  # A pipeline may do what a deploy and its smoke test do.
  assert {
    condition     = [for statement in jsondecode(local.deploy_policy).Statement : [statement.Action, statement.Resource] if anytrue([for action in flatten([statement.Action]) : startswith(action, "execute-api:")])] == [[["execute-api:Invoke"], ["arn:aws:execute-api:us-east-1:123456789012:*/*/POST/v1/messages"]]]
    error_message = "The smoke test signs POST /v1/messages with this role, and nothing else."
  }
  assert {
    condition     = contains(local.deploy_statements.Caches.resources, "arn:aws:elasticache:us-east-1:123456789012:parametergroup:default.*")
    error_message = "A cache of nodes takes a default parameter group, which AWS checks the right to."
  }
  assert {
    condition     = local.deploy_statements.SocketLogs.resources == ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/apigateway/*/v1*"] && contains(local.deploy_statements.SocketLogs.actions, "logs:PutRetentionPolicy") && !anytrue([for action in local.deploy_statements.SocketLogs.actions : endswith(action, "*") || strcontains(action, "Events")])
    error_message = "The groups of WebSocket APIs have ids for names: they are made and kept in order, not read."
  }
  assert {
    condition = { for sid, statement in local.deploy_statements : sid => statement.actions if anytrue([for action in statement.actions : endswith(action, ":*")]) } == {
      Caches = ["elasticache:*"], Events = ["events:*"], Functions = ["lambda:*"], Logs = ["logs:*"], Queues = ["sqs:*"], Tables = ["dynamodb:*"]
    }
    error_message = "Whole services only where everything named after the environment is a deploy's."
  }
  assert {
    condition = { for sid, statement in local.deploy_statements : sid => [for resource in statement.resources : replace(resource, "/^arn:aws:[a-z0-9-]*:(us-east-1)?:(123456789012)?:/", "")] if contains(["Alarms", "Artifacts", "Events", "Functions", "Parameters", "Queues", "Roles", "State", "Tables"], sid) } == {
      Alarms     = ["alarm:holdfast-test-*", "dashboard/holdfast-test*"]
      Artifacts  = ["holdfast-test-artifacts-123456789012", "holdfast-test-artifacts-123456789012/*"]
      Events     = ["event-bus/holdfast-test*", "rule/holdfast-test*", "archive/holdfast-test*"]
      Functions  = ["function:holdfast-test-*"]
      Parameters = ["parameter/holdfast/test/*"]
      Queues     = ["holdfast-test-*"]
      Roles      = ["role/holdfast-test-*"]
      State      = ["holdfast-test-state-123456789012", "holdfast-test-state-123456789012/*"]
      Tables     = ["table/holdfast-test-*"]
    }
    error_message = "What is named after this environment, and nothing of another one."
  }

  # A deploy makes and fills roles within the boundary only.
  assert {
    condition     = local.boundary_arn == "arn:aws:iam::123456789012:policy/holdfast-test-boundary" && aws_iam_policy.boundary.name == "holdfast-test-boundary" && aws_iam_policy.boundary.policy == local.boundary_policy
    error_message = "The stacks derive its ARN from the account and the name prefix."
  }
  assert {
    condition = [for statement in jsondecode(local.deploy_policy).Statement : [statement.Action, statement.Resource, statement.Condition] if statement.Sid == "BoundRoles"] == [[
      ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
      ["arn:aws:iam::123456789012:role/holdfast-test-*"],
      { StringEquals = { "iam:PermissionsBoundary" = ["arn:aws:iam::123456789012:policy/holdfast-test-boundary"] } },
    ]]
    error_message = "Roles with exactly this boundary; one that has none yet can be given it."
  }
  assert {
    condition = alltrue(flatten([for statement in jsondecode(local.deploy_policy).Statement : [
      for action in statement.Action : anytrue([
        contains(["BoundRoles", "PassRoles", "CacheServiceRole"], statement.Sid), startswith(action, "iam:Get"), startswith(action, "iam:List"),
        contains(["iam:DeleteRole", "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole"], action),
      ]) if startswith(action, "iam:")
    ] if statement.Effect == "Allow"]))
    error_message = "No other statement may let a role do more, or trust somebody else: not by attaching, not by changing its trust."
  }
  assert {
    condition = [for statement in jsondecode(local.deploy_policy).Statement : [statement.Effect, statement.Resource] if contains(statement.Action, "iam:DeleteRolePermissionsBoundary") && contains(statement.Action, "iam:CreatePolicyVersion")] == [
      ["Deny", ["arn:aws:iam::123456789012:policy/holdfast-test-boundary", "arn:aws:iam::123456789012:role/holdfast-test-*"]],
    ]
    error_message = "The boundary is neither taken off nor changed."
  }

  # The first deploy of an account may be a pipeline's.
  assert {
    condition = [for statement in jsondecode(local.deploy_policy).Statement : [statement.Action, statement.Resource, statement.Condition] if contains(statement.Action, "iam:CreateServiceLinkedRole")] == [[
      ["iam:CreateServiceLinkedRole"],
      ["arn:aws:iam::123456789012:role/aws-service-role/elasticache.amazonaws.com/*", "arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/*"],
      { StringEquals = { "iam:AWSServiceName" = ["elasticache.amazonaws.com", "ops.apigateway.amazonaws.com"] } },
    ]]
    error_message = "A cache and a domain name need a role that AWS makes with the caller's permission, and no other service does."
  }

  # What has an id for a name and is another environment's is left alone.
  assert {
    condition = [for statement in jsondecode(local.deploy_policy).Statement : [statement.Effect, statement.Action, statement.Resource, statement.Condition] if statement.Sid == "Others"] == [["Deny", ["acm:*", "application-autoscaling:*", "cloudfront:*", "ec2:*", "kms:*"], ["*"], {
      Null            = { "aws:ResourceTag/environment" = "false" }
      StringNotEquals = { "aws:ResourceTag/environment" = ["test"] }
    }]]
    error_message = "A key, a network, a certificate, a distribution or a scalable target that says it is another environment's must not be used, changed or deleted."
  }
  assert {
    condition = { for statement in jsondecode(local.deploy_policy).Statement : statement.Sid => [statement.Resource, try(statement.Condition, null)] if statement.Effect == "Allow" && anytrue([for action in statement.Action : contains(["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"], action)]) } == {
      Sources = [["*"], { ArnLike = { "lambda:FunctionArn" = ["arn:aws:lambda:us-east-1:123456789012:function:holdfast-test-*"] } }]
    }
    error_message = "A mapping of another environment's function must not be made, changed or deleted."
  }
  assert {
    condition     = local.deploy_statements.SourceTags == { actions = ["lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"], resources = ["arn:aws:lambda:us-east-1:123456789012:event-source-mapping:*"] }
    error_message = "AWS knows no function as a condition for the tags of a mapping."
  }
  assert {
    condition     = length(setsubtract(["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:DescribeKey"], local.deploy_statements.Keys.actions)) == 0
    error_message = "What Lambda asks of whoever gives a function a key of one's own."
  }

  # Only the branch main may plan an environment, unless a variable says otherwise.
  assert {
    condition     = jsonencode(module.oidc.subjects) == jsonencode({ deploy = ["environment:test"], plan = ["ref:refs/heads/main"] })
    error_message = "A pull request is any branch: its code must not take a role that reads production."
  }

  # Planning reads the state and the release and no data.
  assert {
    condition     = module.oidc.policies.plan == local.plan_policy && [for statement in jsondecode(local.plan_policy).Statement : statement.Sid if statement.Effect == "Allow"] == ["Environments"]
    error_message = "The role has the denials, and one thing is allowed."
  }
  assert {
    condition = length(setsubtract(
      ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery", "sqs:ReceiveMessage", "secretsmanager:GetSecretValue"],
      jsondecode(local.plan_policy).Statement[0].Action,
    )) == 0 && jsondecode(local.plan_policy).Statement[0].Resource == ["*"]
    error_message = "Rows, records, log lines, messages and secrets of every environment of the account."
  }
  assert {
    condition     = jsondecode(local.plan_policy).Statement[1].Action == ["s3:GetObject*"] && jsondecode(local.plan_policy).Statement[1].NotResource == ["arn:aws:s3:::holdfast-test-state-123456789012/*", "arn:aws:s3:::holdfast-test-artifacts-123456789012/*"]
    error_message = "Objects of this environment's state and release only."
  }
  assert {
    condition     = jsondecode(local.plan_policy).Statement[2].Action == ["kms:Decrypt"] && jsondecode(local.plan_policy).Statement[2].Condition.StringLike["kms:ViaService"] == ["secretsmanager.*", "ssm.*"]
    error_message = "No secret is decrypted; a parameter that is none can be read."
  }
  assert {
    condition = [for statement in jsondecode(local.plan_policy).Statement : [statement.Action, statement.Condition] if statement.Sid == "Environments"] == [[["kms:Decrypt"], { StringEquals = {
      "aws:ResourceTag/environment" = ["test"]
      "aws:ResourceTag/project"     = ["holdfast"]
      "kms:ViaService"              = ["lambda.us-east-1.amazonaws.com"]
    } }]]
    error_message = "Through Lambda, with this environment's own key: the environment of functions, and no rows, messages or logs."
  }
  assert {
    condition     = !anytrue([for action in jsondecode(local.plan_policy).Statement[0].Action : anytrue([for word in ["Describe", "Tags", "ssm:", "lambda:", "GetQueueAttributes"] : strcontains(action, word)])])
    error_message = "What Terraform refreshes by must stay allowed."
  }
}

run "functions_that_decide_over_topics_and_presence_may_be_of_another_name" {
  command = apply
  variables {
    topic_policy    = "arn:aws:lambda:us-east-1:123456789012:function:topics"
    presence_policy = "arn:aws:lambda:us-east-1:123456789012:function:presence"
  }
  assert {
    condition     = local.boundary_statements.Policies.resources == ["arn:aws:lambda:us-east-1:123456789012:function:holdfast-test-*", "arn:aws:lambda:us-east-1:123456789012:function:topics", "arn:aws:lambda:us-east-1:123456789012:function:presence"]
    error_message = "These two, besides the environment's own."
  }
}

run "a_repository_with_numbers_can_take_the_roles" {
  command = apply
  variables {
    github_repository     = "owner/name"
    github_repository_ids = { owner = "123456", repository = "456789" }
  }
  assert {
    condition     = jsonencode(module.oidc.trusted_repositories) == jsonencode({ deploy = ["owner/name", "owner@123456/name@456789"], plan = ["owner/name", "owner@123456/name@456789"] })
    error_message = "GitHub sends the names alone, or the names with the numbers."
  }
  assert {
    condition     = module.oidc.max_session_seconds == { deploy = 14400, plan = 3600 }
    error_message = "Two hours of a canary, and what a deploy does before it, must fit into the session of the deploy."
  }
}

run "records_are_changed_in_the_named_zones_only" {
  command = apply
  variables {
    github_repository = "owner/name"
    hosted_zone_ids   = ["Z0123456789ABC"]
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_policy.names["this"].policy).Statement : statement.Resource if anytrue([for action in statement.Action : action == "route53:ChangeResourceRecordSets"])] == [["arn:aws:route53:::hostedzone/Z0123456789ABC"]]
    error_message = "A zone is usually shared with others."
  }
  assert {
    condition     = local.names_policy_arn == "arn:aws:iam::123456789012:policy/${aws_iam_policy.names["this"].name}" && alltrue([for statement in jsondecode(local.names_policy).Statement : !contains(statement.Resource, "*")])
    error_message = "The role that deploys is given this policy, which names its resources."
  }
}

run "a_pipeline_may_do_what_aws_checks_beside_the_resource_that_is_named" {
  command = apply
  variables {
    github_repository      = "owner/name"
    truststore_object_arns = ["arn:aws:s3:::shop-tls/truststore.pem"]
  }
  assert {
    condition = { for name, found in {
      composite_alarms = [for statement in jsondecode(local.deploy_policy).Statement : statement.Resource if contains(statement.Action, "cloudwatch:PutCompositeAlarm")]
      left_interfaces  = [for statement in jsondecode(local.deploy_policy).Statement : statement.Resource if contains(statement.Action, "ec2:DeleteNetworkInterface")]
      certificates     = [for statement in jsondecode(local.names_policy).Statement : statement.Resource if contains(statement.Action, "apigateway:AddCertificateToDomain") && contains(statement.Action, "apigateway:RemoveCertificateFromDomain")]
      truststores      = [for statement in jsondecode(local.names_policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject") && contains(statement.Action, "s3:GetObjectVersion")]
      disabled_keys    = [for statement in jsondecode(local.deploy_policy).Statement : statement.Resource[0] if contains(statement.Action, "kms:EnableKey")]
      } : name => flatten(found) } == {
      composite_alarms = ["*"]
      left_interfaces  = ["arn:aws:ec2:us-east-1:123456789012:network-interface/*"]
      certificates     = ["arn:aws:apigateway:us-east-1::/domainnames", "arn:aws:apigateway:us-east-1::/domainnames/*"]
      truststores      = ["arn:aws:s3:::shop-tls/truststore.pem"]
      disabled_keys    = ["arn:aws:kms:us-east-1:123456789012:key/*"]
    }
    error_message = "AWS checks these actions on more than the resource that is changed: without them a deploy by a pipeline ends half-way."
  }
  assert {
    condition     = anytrue([for statement in jsondecode(local.deploy_policy).Statement : contains(statement.Action, "ec2:ModifySecurityGroupRules") && contains(statement.Resource, "arn:aws:ec2:us-east-1:aws:prefix-list/*")])
    error_message = "A rule to DynamoDB names AWS's own list of addresses."
  }
}

run "a_pipeline_may_scale_tables_if_one_is_named" {
  command = apply
  variables {
    github_repository = "owner/name"
    table_capacity    = { sessions = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 } } }
  }
  assert {
    condition = jsonencode([for statement in jsondecode(aws_iam_policy.names["this"].policy).Statement : [statement.Action, statement.Resource, try(statement.Condition, null)] if startswith(statement.Sid, "Scaling")]) == jsonencode([
      [
        ["application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget"],
        ["arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/*"],
        { StringEquals = { "application-autoscaling:service-namespace" = ["dynamodb"] } },
      ],
      [
        ["application-autoscaling:ListTagsForResource", "application-autoscaling:TagResource", "application-autoscaling:UntagResource"],
        ["arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/*"],
        null,
      ],
      [["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"], ["*"], null],
      [["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"], ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"], null],
      [
        ["iam:CreateServiceLinkedRole"],
        ["arn:aws:iam::123456789012:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"],
        { StringEquals = { "iam:AWSServiceName" = ["dynamodb.application-autoscaling.amazonaws.com"] } },
      ],
    ])
    error_message = "Targets and policies of DynamoDB, the role that Application Auto Scaling makes, and what it asks of its callers."
  }
  assert {
    condition     = contains(local.deploy_unscoped_actions, "cloudwatch:DescribeAlarms") && contains(local.deploy_statements.Tables.actions, "dynamodb:*")
    error_message = "Application Auto Scaling asks for the right to describe alarms, and to describe and update the table, too."
  }
}

run "a_pipeline_may_not_scale_tables_if_none_is_named" {
  command = apply
  variables { github_repository = "owner/name" }
  assert {
    condition     = !strcontains(local.names_policy, "autoscaling") && !strcontains(local.names_policy, "cloudwatch")
    error_message = "Above all, no right to the alarms of others."
  }
}

run "refuses_a_truststore_that_is_no_object" {
  command = plan
  variables { truststore_object_arns = ["arn:aws:s3:::bucket"] }
  expect_failures = [var.truststore_object_arns]
}

run "refuses_zones_that_are_none" {
  command = plan
  variables { hosted_zone_ids = ["example.com"] }
  expect_failures = [var.hosted_zone_ids]
}

run "refuses_numbers_of_no_repository" {
  command = plan
  variables { github_repository_ids = { owner = "1", repository = "2" } }
  expect_failures = [var.github_repository_ids]
}

run "where_pull_requests_are_planned_they_may_take_the_role" {
  command = apply
  variables {
    github_repository      = "owner/name"
    pull_requests_may_plan = true
  }
  assert {
    condition     = jsonencode(module.oidc.subjects) == jsonencode({ deploy = ["environment:test"], plan = ["pull_request", "ref:refs/heads/main"] })
    error_message = "Staging is what pull requests are planned against."
  }
}

run "the_policy_fits_with_the_longest_names" {
  command = apply
  variables {
    env               = "twenty-characters-xx"
    table_capacity    = { sessions = { read = { min = 1, max = 2 }, write = { min = 1, max = 2 } } }
    name_prefix       = "a-prefix-of-forty-characters-is-allowed-"
    region            = "ap-southeast-1"
    github_repository = "owner/name"
    hosted_zone_ids   = ["Z0123456789ABCDEFGHIJ", "Z0123456789ABCDEFGHIK"]
    # A bucket has at most 63 characters in its name.
    truststore_object_arns = ["arn:aws:s3:::a-bucket-whose-name-has-the-sixty-three-characters-of-the-limit/truststore.pem"]
    topic_policy           = "arn:aws:lambda:ap-southeast-1:123456789012:function:a-function-whose-name-has-the-sixty-four-characters-of-the-limit:live"
  }
  assert {
    condition     = length(local.deploy_policy) <= 10240
    error_message = "IAM takes at most 10240 characters of inline policy; there are ${length(local.deploy_policy)}."
  }
  assert {
    condition     = length(local.plan_policy) <= 10240
    error_message = "IAM takes at most 10240 characters of inline policy; there are ${length(local.plan_policy)}."
  }
  assert {
    condition     = length(local.names_policy) <= 6144
    error_message = "IAM takes at most 6144 characters of a managed policy; there are ${length(local.names_policy)}."
  }
  assert {
    condition     = length(local.boundary_policy) <= 6144
    error_message = "IAM takes at most 6144 characters of a managed policy; there are ${length(local.boundary_policy)}."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    region              = "mars"
    allowed_account_ids = ["1"]
    local_endpoint      = "http://10.0.0.1:4566"
    github_repository   = "owner"
    monthly_budget_usd  = -1
    topic_policy        = "arn:aws:s3:::bucket"
    presence_policy     = "friends"
  }
  expect_failures = [var.topic_policy, var.presence_policy, var.region, var.allowed_account_ids, var.local_endpoint, var.github_repository, var.monthly_budget_usd]
}

run "refuses_a_budget_that_tells_nobody" {
  command = plan
  variables { monthly_budget_usd = 10 }
  expect_failures = [var.budget_email_addresses]
}

run "each_setting_of_buckets_and_budget_is_what_the_variables_say" {
  command = apply
  variables {
    access_log_bucket      = "example-logs"
    monthly_budget_usd     = 10
    budget_email_addresses = ["ops@example.com"]
  }
  assert {
    condition = jsonencode({ state = module.state_bucket.settings, artifacts = module.artifacts_bucket.settings }) == jsonencode({
      for kind, days in { state      = 365, artifacts = 90 } : kind => {
        access_logs_to               = "example-logs/holdfast-test-${kind}-123456789012/"
        blocks_public_access         = true
        encryption                   = "AES256"
        force_destroy                = false
        name                         = "holdfast-test-${kind}-123456789012"
        object_ownership             = "BucketOwnerEnforced"
        old_versions_expire_days     = days
        unfinished_uploads_end_after = 7
        versioning                   = "Enabled"
      }
    })
    error_message = "Old states are kept for a year: ${jsonencode([module.state_bucket.settings, module.artifacts_bucket.settings])}"
  }
  assert {
    condition = jsonencode(module.budget.settings) == jsonencode({
      limit = "10 USD MONTHLY"
      notifications = [
        "ACTUAL GREATER_THAN 100 PERCENTAGE to ops@example.com",
        "ACTUAL GREATER_THAN 50 PERCENTAGE to ops@example.com",
        "ACTUAL GREATER_THAN 80 PERCENTAGE to ops@example.com",
        "FORECASTED GREATER_THAN 100 PERCENTAGE to ops@example.com",
      ]
    })
    error_message = "Those who are named are told: ${jsonencode(module.budget.settings)}"
  }
}
