package no.couchexplorers.imagegenerator;

import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;

/** The credentials, found where every AWS tool finds them: the SDK's whole default chain. */
final class Credentials {
    private static final String WEB_IDENTITY = "AWS_WEB_IDENTITY_TOKEN_FILE";
    private static final String PROFILE = "AWS_PROFILE";
    private static final String REGION_PROPERTY = "aws.region";

    private Credentials() {}

    /** Gives a source that has credentials now; {@code region} is where roles are assumed if nothing else names one. */
    static AwsCredentialsProvider find(Map<String, String> environment, String region) throws NotSentException {
        if (environment.getOrDefault("AWS_REGION", "").isBlank() && System.getProperty(REGION_PROPERTY) == null) {
            // The chain makes its own client for STS, which without a region asks AWS whatever AWS_ENDPOINT_URL says.
            System.setProperty(REGION_PROPERTY, region);
        }
        AwsCredentialsProvider chain = DefaultCredentialsProvider.builder().build();
        try {
            // Asked for here, because in the middle of a request this error looks like any other.
            chain.resolveCredentials();
            return chain;
        } catch (SdkException error) {
            throw new NotSentException(
                    "No AWS credentials are found" + reason(environment)
                            + ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                            + "or choose a profile with AWS_PROFILE.",
                    error);
        }
    }

    /** What the source said that the user chose; the chain asks all and tells of all together. */
    private static String reason(Map<String, String> environment) {
        String profile = environment.getOrDefault(PROFILE, "");
        if (!profile.isBlank()) {
            return said("the profile " + Explanation.quoted(profile), ProfileCredentialsProvider.create(profile));
        }
        if (!environment.getOrDefault(WEB_IDENTITY, "").isBlank()) {
            return said("the web identity", WebIdentityTokenFileCredentialsProvider.create());
        }
        return "";
    }

    private static String said(String source, AwsCredentialsProvider provider) {
        try {
            provider.resolveCredentials();
            return "";
        } catch (RuntimeException error) {
            // The SDK adds the whole configuration to some of its sentences.
            String answer = Explanation.oneLine(error).replaceFirst("[:,]? ?ProfileFile\\(.*", "");
            return " (" + source + " says: " + answer + ")";
        }
    }
}
