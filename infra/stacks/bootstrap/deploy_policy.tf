# What deploying may touch: what carries the environment's name prefix, and no more where AWS has resources to name.
locals {
  arn = "arn:${local.partition}"
  own = "${var.region}:${local.account}"

  deploy_roles = "${local.arn}:iam::${local.account}:role/${module.context.name_prefix}-*"

  deploy_statements = {
    State = {
      actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]
      resources = ["${local.arn}:s3:::${local.state_bucket}", "${local.arn}:s3:::${local.state_bucket}/*"]
    }
    Artifacts = {
      actions   = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
      resources = ["${local.arn}:s3:::${local.artifacts_bucket}", "${local.arn}:s3:::${local.artifacts_bucket}/*"]
    }
    Functions = {
      actions   = ["lambda:*"]
      resources = ["${local.arn}:lambda:${local.own}:function:${module.context.name_prefix}-*"]
    }
    # Mappings have ids, not names. Sources (below) says whose are made, changed and deleted.
    SourceTags = {
      actions   = ["lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"]
      resources = ["${local.arn}:lambda:${local.own}:event-source-mapping:*"]
    }
    Tables = {
      actions   = ["dynamodb:*"]
      resources = ["${local.arn}:dynamodb:${local.own}:table/${module.context.name_prefix}-*"]
    }
    Queues = {
      actions   = ["sqs:*"]
      resources = ["${local.arn}:sqs:${local.own}:${module.context.name_prefix}-*"]
    }
    Events = {
      actions = ["events:*"]
      resources = [
        "${local.arn}:events:${local.own}:event-bus/${module.context.name_prefix}*",
        "${local.arn}:events:${local.own}:rule/${module.context.name_prefix}*",
        "${local.arn}:events:${local.own}:archive/${module.context.name_prefix}*",
      ]
    }
    Apis = {
      actions   = ["apigateway:GET", "apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE", "apigateway:TagResource", "apigateway:UntagResource"]
      resources = ["${local.arn}:apigateway:${var.region}::/apis", "${local.arn}:apigateway:${var.region}::/apis/*", "${local.arn}:apigateway:${var.region}::/tags/*"]
    }
    # The smoke test publishes one message, signed with this role. Ids of APIs are not known beforehand.
    SmokeTest = {
      actions   = ["execute-api:Invoke"]
      resources = ["${local.arn}:execute-api:${local.own}:*/*/POST/v1/messages"]
    }
    # A WebSocket API's own log is called after the API's id: its group can be kept in order, and not be read.
    SocketLogs = {
      actions   = ["logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:AssociateKmsKey", "logs:DisassociateKmsKey", "logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource"]
      resources = ["${local.arn}:logs:${local.own}:log-group:/aws/apigateway/*/v1*"]
    }
    Logs = {
      actions = ["logs:*"]
      resources = [
        "${local.arn}:logs:${local.own}:log-group:/aws/lambda/${module.context.name_prefix}-*",
        "${local.arn}:logs:${local.own}:log-group:/aws/apigateway/${module.context.name_prefix}-*",
        "${local.arn}:logs:${local.own}:log-group:/aws/vpc/${module.context.name_prefix}*",
      ]
    }
    Parameters = {
      actions   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:PutParameter", "ssm:DeleteParameter", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource", "ssm:ListTagsForResource"]
      resources = ["${local.arn}:ssm:${local.own}:parameter${module.context.ssm_prefix}/*"]
    }
    Alarms = {
      actions = ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:TagResource", "cloudwatch:UntagResource", "cloudwatch:ListTagsForResource", "cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"]
      resources = [
        "${local.arn}:cloudwatch:${local.own}:alarm:${module.context.name_prefix}-*",
        "${local.arn}:cloudwatch::${local.account}:dashboard/${module.context.name_prefix}*",
      ]
    }
    # What a role can do is written below only (BoundRoles). Whom it trusts is said once, when it is made: iam:UpdateAssumeRolePolicy knows no
    # boundary as a condition, and with it any role of that name, somebody else's, could be taken over.
    Roles = {
      actions = [
        "iam:DeleteRole", "iam:GetRole", "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole",
        "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
      ]
      resources = [local.deploy_roles]
    }
    # A plan looks whether it is there.
    Boundary = {
      actions   = ["iam:GetPolicy", "iam:GetPolicyVersion"]
      resources = [local.boundary_arn]
    }
    Caches = {
      actions = ["elasticache:*"]
      # A cache of nodes takes AWS's own parameters.
      resources = concat(
        [for kind in ["serverlesscache", "replicationgroup", "cluster", "subnetgroup", "user", "usergroup"] : "${local.arn}:elasticache:${local.own}:${kind}:${module.context.name_prefix}*"],
        ["${local.arn}:elasticache:${local.own}:parametergroup:default.*"],
      )
    }
    # Networks have ids, not names: what can be scoped is the kind. Removing one is for those tagged as this environment's.
    Networks = {
      actions = [
        "ec2:AssociateRouteTable", "ec2:AuthorizeSecurityGroup*", "ec2:CreateFlowLogs", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags",
        "ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:RevokeSecurityGroup*",
      ]
      resources = concat(
        [for kind in ["vpc", "subnet", "route-table", "security-group", "security-group-rule", "vpc-endpoint", "vpc-flow-log"] : "${local.arn}:ec2:${local.own}:${kind}/*"],
        # A rule to DynamoDB names a list of addresses that AWS owns.
        ["${local.arn}:ec2:${var.region}:aws:prefix-list/*"],
      )
    }
    # Interfaces that Lambda left in a subnet, which Terraform deletes before the subnet. Lambda tags none of them. AWS deletes only those that nothing uses.
    LeftInterfaces = {
      actions   = ["ec2:DeleteNetworkInterface"]
      resources = ["${local.arn}:ec2:${local.own}:network-interface/*"]
    }
    # The private name of an interface endpoint is a hosted zone that AWS keeps and puts into the network.
    EndpointNames = {
      actions   = ["route53:AssociateVPCWithHostedZone"]
      resources = ["${local.arn}:route53:::hostedzone/*", "${local.arn}:ec2:${local.own}:vpc/*"]
    }
    Keys = {
      actions   = ["kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:EnableKey", "kms:EnableKeyRotation", "kms:ListResourceTags", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription", "kms:ScheduleKeyDeletion", "kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"]
      resources = ["${local.arn}:kms:${local.own}:key/*", "${local.arn}:kms:${local.own}:alias/${module.context.name_prefix}*"]
    }
  }

  # Domain names, an edge and the scaling of tables, in a policy of their own: the role's inline policy has no room for more.
  names_policy_name = "${module.context.name_prefix}-deploy-names"
  names_policy_arn  = "${local.arn}:iam::${local.account}:policy/${local.names_policy_name}"

  names_statements = {
    # Distributions and their policies have ids, not names.
    Edge = {
      actions = concat(
        [for kind in ["CachePolicy", "Distribution", "OriginRequestPolicy"] : "cloudfront:*${kind}"],
        ["cloudfront:ListTagsForResource", "cloudfront:TagResource", "cloudfront:UntagResource"],
      )
      resources = [for kind in ["distribution", "cache-policy", "origin-request-policy"] : "${local.arn}:cloudfront::${local.account}:${kind}/*"]
    }
    Firewalls = {
      actions   = ["wafv2:CreateWebACL", "wafv2:DeleteWebACL", "wafv2:GetWebACL", "wafv2:ListTagsForResource", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL"]
      resources = ["${local.arn}:wafv2:us-east-1:${local.account}:global/webacl/${module.context.name_prefix}*", "${local.arn}:wafv2:us-east-1:${local.account}:global/managedruleset/*"]
    }
    # Certificates have ids, not names.
    Certificates = {
      actions   = ["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:DescribeCertificate", "acm:ListTagsForCertificate", "acm:RemoveTagsFromCertificate", "acm:RequestCertificate"]
      resources = ["${local.arn}:acm:*:${local.account}:certificate/*"]
    }
    # A name with a certificate is checked for the certificate, too.
    Names = {
      actions = [
        "apigateway:GET", "apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE", "apigateway:TagResource", "apigateway:UntagResource",
        "apigateway:AddCertificateToDomain", "apigateway:RemoveCertificateFromDomain",
      ]
      resources = ["${local.arn}:apigateway:${var.region}::/domainnames", "${local.arn}:apigateway:${var.region}::/domainnames/*"]
    }
    # The state of a change that has just been made.
    Changes = {
      actions   = ["route53:GetChange"]
      resources = ["${local.arn}:route53:::change/*"]
    }
  }

  names_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([for sid, statement in local.names_statements : {
      Sid      = sid
      Effect   = "Allow"
      Action   = statement.actions
      Resource = statement.resources
    }], local.record_statements, local.truststore_statements, local.scaling_statements)
  })

  # Records of domain names, in the zones that are named only.
  record_statements = [for zones in [var.hosted_zone_ids] : {
    Sid      = "Records"
    Effect   = "Allow"
    Action   = ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"]
    Resource = [for zone in sort(zones) : "${local.arn}:route53:::hostedzone/${zone}"]
  } if length(zones) > 0]

  # API Gateway reads the truststore of mutual TLS with the permissions of who sets it.
  truststore_statements = [for arns in [var.truststore_object_arns] : {
    Sid      = "Truststores"
    Effect   = "Allow"
    Action   = ["s3:GetObject", "s3:GetObjectVersion"]
    Resource = sort(arns)
  } if length(arns) > 0]

  # The capacity of tables that table_capacity names. Without one, a deploy has no such right.
  scaling_statements = flatten([for tables in [keys(var.table_capacity)] : [
    {
      # Targets have ids, not names: what can be scoped is the service.
      Sid       = "Scaling"
      Effect    = "Allow"
      Action    = ["application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget"]
      Resource  = local.scalable_targets
      Condition = { StringEquals = { "application-autoscaling:service-namespace" = ["dynamodb"] } }
    },
    {
      # AWS knows no service as a condition for the tags.
      Sid      = "ScalingTags"
      Effect   = "Allow"
      Action   = ["application-autoscaling:ListTagsForResource", "application-autoscaling:TagResource", "application-autoscaling:UntagResource"]
      Resource = local.scalable_targets
    },
    {
      # AWS has no resources to name for these.
      Sid      = "ScalingReads"
      Effect   = "Allow"
      Action   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"]
      Resource = ["*"]
    },
    {
      # Application Auto Scaling makes the alarms with its own role. But first it tries the caller's rights, by requests that name no alarm.
      Sid      = "ScalingAlarms"
      Effect   = "Allow"
      Action   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
      Resource = ["${local.arn}:cloudwatch:${local.own}:alarm:*"]
    },
    {
      # The first target of an account makes that role.
      Sid       = "ScalingServiceRole"
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["${local.arn}:iam::${local.account}:role/aws-service-role/${local.scaling_service}/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"]
      Condition = { StringEquals = { "iam:AWSServiceName" = [local.scaling_service] } }
    },
  ] if length(tables) > 0])

  scalable_targets = ["${local.arn}:application-autoscaling:${local.own}:scalable-target/*"]
  scaling_service  = "dynamodb.application-autoscaling.amazonaws.com"

  # Services that make a role of their own in the account when they are first used.
  linked_services = ["elasticache.amazonaws.com", "ops.apigateway.amazonaws.com"]

  # AWS has no resources to name for these. A composite alarm needs permission for all alarms.
  deploy_unscoped_actions = [
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutCompositeAlarm",
    "ec2:Describe*",
    "elasticache:Describe*",
    "kms:CreateKey",
    "kms:ListAliases",
    "lambda:GetEventSourceMapping",
    "lambda:ListEventSourceMappings",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "ssm:DescribeParameters",
    "sts:GetCallerIdentity",
  ]

  deploy_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for sid, statement in local.deploy_statements : {
        Sid      = sid
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      }],
      [
        {
          # No role can do more than the boundary (boundary.tf), or whoever deploys could make one that can do everything. A role from before there
          # was one is given it first: until then its policies are not touched.
          Sid       = "BoundRoles"
          Effect    = "Allow"
          Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
          Resource  = [local.deploy_roles]
          Condition = { StringEquals = { "iam:PermissionsBoundary" = [local.boundary_arn] } }
        },
        {
          # Allowed by nothing above; nor shall it be by a policy that somebody attaches.
          Sid      = "BoundaryStays"
          Effect   = "Deny"
          Action   = ["iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:DeleteRolePermissionsBoundary", "iam:SetDefaultPolicyVersion"]
          Resource = [local.boundary_arn, local.deploy_roles]
        },
        {
          # Roles made here can be given to functions and to the flow logs, and to nothing else.
          Sid       = "PassRoles"
          Effect    = "Allow"
          Action    = ["iam:PassRole"]
          Resource  = [local.deploy_roles]
          Condition = { StringEquals = { "iam:PassedToService" = ["lambda.amazonaws.com", "vpc-flow-logs.amazonaws.com"] } }
        },
        {
          Sid       = "OwnNetworksGo"
          Effect    = "Allow"
          Action    = ["ec2:DeleteFlowLogs", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints"]
          Resource  = ["${local.arn}:ec2:${local.own}:*/*"]
          Condition = { StringEquals = { "aws:ResourceTag/project" = ["holdfast"], "aws:ResourceTag/environment" = [var.env] } }
        },
        {
          # What calls a function is that function's: a mapping of this environment never names another one's.
          Sid       = "Sources"
          Effect    = "Allow"
          Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
          Resource  = ["*"]
          Condition = { ArnLike = { "lambda:FunctionArn" = ["${local.arn}:lambda:${local.own}:function:${module.context.name_prefix}-*"] } }
        },
        {
          # These have ids, not names: what says that it is another environment's is left alone. An own tag is not asked for: AWS takes up to five
          # minutes to see that of a new key.
          Sid      = "Others"
          Effect   = "Deny"
          Action   = ["acm:*", "application-autoscaling:*", "cloudfront:*", "ec2:*", "kms:*"]
          Resource = ["*"]
          Condition = {
            Null            = { "aws:ResourceTag/environment" = "false" }
            StringNotEquals = { "aws:ResourceTag/environment" = [var.env] }
          }
        },
        {
          # The first cache of an account makes ElastiCache's own role, and the first domain name that of API Gateway.
          Sid       = "CacheServiceRole"
          Effect    = "Allow"
          Action    = ["iam:CreateServiceLinkedRole"]
          Resource  = [for service in local.linked_services : "${local.arn}:iam::${local.account}:role/aws-service-role/${service}/*"]
          Condition = { StringEquals = { "iam:AWSServiceName" = local.linked_services } }
        },
        {
          # A pipeline must not widen its own or the planner's role.
          Sid      = "NotItself"
          Effect   = "Deny"
          Action   = ["iam:*"]
          Resource = [for role in ["plan", "deploy", "api-gateway-logs"] : "${local.arn}:iam::${local.account}:role/${module.context.name_prefix}-${role}"]
        },
        {
          Sid      = "Unscoped"
          Effect   = "Allow"
          Action   = local.deploy_unscoped_actions
          Resource = ["*"]
        },
      ],
    )
  })
}

resource "aws_iam_policy" "names" {
  for_each = var.github_repository != "" ? { this = true } : {}

  name        = local.names_policy_name
  description = "Domain names of ${var.env}, and what is in front of them."
  policy      = local.names_policy
}
