# What planning may not read although ReadOnlyAccess lets it: what users and messages leave behind. Any branch of the
# repository can take this role where pull requests may plan. And the one thing that ReadOnlyAccess lacks.
locals {
  plan_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "NoData"
        Effect = "Deny"
        Action = [
          "cognito-idp:AdminGetUser",
          "cognito-idp:AdminList*",
          "cognito-idp:ListUsers*",
          "dynamodb:BatchGetItem",
          "dynamodb:ConditionCheckItem",
          "dynamodb:GetItem",
          "dynamodb:GetRecords",
          "dynamodb:PartiQLSelect",
          "dynamodb:Query",
          "dynamodb:Scan",
          "logs:FilterLogEvents",
          "logs:GetLogEvents",
          "logs:GetLogObject",
          "logs:GetLogRecord",
          "logs:GetQueryResults",
          "logs:StartLiveTail",
          "logs:StartQuery",
          "logs:Unmask",
          "secretsmanager:BatchGetSecretValue",
          "secretsmanager:GetSecretValue",
          "sqs:ReceiveMessage",
          "xray:BatchGetTraces",
        ]
        Resource = ["*"]
      },
      {
        # A plan reads the state and the release; nothing else in a bucket is its business.
        Sid         = "NoOtherObjects"
        Effect      = "Deny"
        Action      = ["s3:GetObject*"]
        NotResource = [for bucket in [local.state_bucket, local.artifacts_bucket] : "${local.arn}:s3:::${bucket}/*"]
      },
      {
        # A parameter that is a secret is decrypted for whoever may read it, by AWS's own key.
        Sid       = "NoSecrets"
        Effect    = "Deny"
        Action    = ["kms:Decrypt"]
        Resource  = ["*"]
        Condition = { StringLike = { "kms:ViaService" = ["secretsmanager.*", "ssm.*"] } }
      },
      {
        # With a key of one's own, Lambda shows a function's environment to those only who may use the key; without it every plan would say
        # that the environment is gone. State, artifacts and parameters are under none.
        Sid      = "Environments"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["${local.arn}:kms:${local.own}:key/*"]
        Condition = {
          StringEquals = {
            "aws:ResourceTag/environment" = [var.env]
            "aws:ResourceTag/project"     = ["holdfast"]
            "kms:ViaService"              = ["lambda.${var.region}.amazonaws.com"]
          }
        }
      },
    ]
  })
}
