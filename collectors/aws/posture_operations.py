"""Calls about how single things are set up: buckets, snapshots, subnets, passwords, roles and keys."""

from __future__ import annotations

from collectors.aws.paging import ec2_listing, iam_listing
from collectors.aws.source import OF_SEGMENT, Source
from collectors.ports.aws import Operation

ACCOUNT_BLOCK = Source(
    Operation(
        "s3control",
        "GetPublicAccessBlock",
        right="s3:GetAccountPublicAccessBlock",
        none=frozenset({"NoSuchPublicAccessBlockConfiguration"}),
    ),
    "whether the account keeps every bucket from the public, whatever the buckets say",
    ("StoreExposure.public",),
)
BUCKET_BLOCK = Source(
    Operation(
        "s3",
        "GetPublicAccessBlock",
        right="s3:GetBucketPublicAccessBlock",
        none=frozenset({"NoSuchPublicAccessBlockConfiguration"}),
    ),
    "whether a bucket is kept from the public; not asked where the account already is",
    ("StoreExposure.public",),
)
BUCKET_POLICY = Source(
    Operation("s3", "GetBucketPolicy", none=frozenset({"NoSuchBucketPolicy"})),
    "whom a bucket lets in, and whether it refuses requests without TLS",
    ("StoreExposure.public", "StoreExposure.clear_transport"),
)
BUCKET_ACL = Source(
    Operation("s3", "GetBucketAcl", lists=("Grants",)),
    "whether an access list opens a bucket; not asked where lists are ignored or switched off, or it is open already",
    ("StoreExposure.public",),
)
BUCKET_OWNERSHIP = Source(
    Operation("s3", "GetBucketOwnershipControls", none=frozenset({"OwnershipControlsNotFoundError"})),
    "whether access lists are switched off; not asked where they are ignored, or the bucket is open already",
    ("StoreExposure.public",),
)
BUCKET_LIFECYCLE = Source(
    Operation(
        "s3",
        "GetBucketLifecycleConfiguration",
        right="s3:GetLifecycleConfiguration",
        lists=("Rules",),
        none=frozenset({"NoSuchLifecycleConfiguration"}),
    ),
    "whether content of a bucket is removed when its time is over",
    ("Retention.policy",),
)
SNAPSHOTS = Source(
    ec2_listing("DescribeSnapshots", "Snapshots", OwnerIds=["self"], MaxResults=1000),
    "copies of volumes: whether they are encrypted, and which of them everybody may restore",
    ("EncryptionAtRest.copies_encrypted", "StoreExposure.public"),
)
IMAGES = Source(
    ec2_listing("DescribeImages", "Images", Owners=["self"], IncludeDisabled=True, MaxResults=1000),
    "images that everybody may start, and copies of volumes in them",
    ("StoreExposure.public",),
)
SUBNETS = Source(
    ec2_listing("DescribeSubnets", "Subnets", MaxResults=1000),
    "subnets, each a segment with a border of its own",
    (*OF_SEGMENT, "Placement"),
)
NETWORK_ACLS = Source(
    ec2_listing("DescribeNetworkAcls", "NetworkAcls", MaxResults=1000),
    "what the border of a subnet lets in before any security group is asked",
    (
        "SegmentPolicy.rules",
        "SegmentPolicy.default_action",
        "Microsegmentation.mode",
        "Microsegmentation.final_action",
    ),
)
PASSWORD_POLICY = Source(
    Operation("iam", "GetAccountPasswordPolicy", none=frozenset({"NoSuchEntity"})),
    "rules for passwords; without any, those that AWS documents as its own",
    ("PasswordPolicy",),
)
ROLES = Source(
    iam_listing("ListRoles", "Roles", MaxItems=1000),
    "the longest session of each role, which the listing of everything leaves out",
    ("RoleTrusts.trusts",),
)
KEY_POLICY = Source(
    Operation("kms", "GetKeyPolicy", given={"PolicyName": "default"}),
    "whether a key of the institution is kept apart from those who run the account",
    ("EncryptionAtRest.key_apart",),
)

POSTURE: tuple[Source, ...] = (
    ACCOUNT_BLOCK,
    BUCKET_BLOCK,
    BUCKET_POLICY,
    BUCKET_ACL,
    BUCKET_OWNERSHIP,
    BUCKET_LIFECYCLE,
    SNAPSHOTS,
    IMAGES,
    SUBNETS,
    NETWORK_ACLS,
    PASSWORD_POLICY,
    ROLES,
    KEY_POLICY,
)
