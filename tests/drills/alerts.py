"""Which drill causes which alert."""

DRILLS = {
    "deaths and forgeries": (
        "ApiErrors",
        "AuditorImbalance",
        "DeadLetter",
        "DuplicateDetected",
        "InstanceDown",
        "PlatformRefuses",
        "PublishingDoubtful",
        "PublishingLate",
        "SecretDoesNotOpen",
        "ServiceDown",
        "TargetHeld",
        "WebhooksLate",
    ),
    "standstills": (
        "ApiSlow",
        "AuditorBehind",
        "GatewayFull",
        "LagGrows",
        "PostsOverdue",
        "PublishingStalled",
        "ReadingsOverdue",
    ),
    "platforms and partitions": (
        "BudgetExhausted",
        "OutcomeUnknownForLong",
        "PartitionsChangeHands",
        "PlatformSlow",
        "TokenRenewalsFail",
        "TokenRenewalsFailEverywhere",
        "TwoWriters",
    ),
    "customers": ("DecodersDie", "EndpointsDisabled", "MediaSlow", "SamplesLate", "WebhooksFail"),
}
