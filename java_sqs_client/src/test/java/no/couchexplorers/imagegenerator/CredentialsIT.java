package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.services.iam.IamClient;

/** The credential chain beyond plain keys; it finds its parts by reflection, so that only a run shows one missing. */
class CredentialsIT {
    private static final String ACCOUNT = LocalCloud.ROOT.accessKeyId();
    private static final String ISSUER = "accounts.google.com";

    @TempDir
    private Path folder;

    private LocalCloud cloud;
    private String queueUrl;
    private Client client;

    @BeforeEach
    void makeQueue() {
        cloud = LocalCloud.running();
        queueUrl = cloud.newQueue();
        client = Client.withNothing().with("AWS_ENDPOINT_URL", cloud.endpoint()).with("SQS_QUEUE_URL", queueUrl);
    }

    @Test
    void a_profile_may_assume_a_role() throws IOException {
        String role = newRole();
        client.with("AWS_CONFIG_FILE", file("config", """
                        [profile root]
                        aws_access_key_id = %s
                        aws_secret_access_key = local
                        [profile painter]
                        role_arn = %s
                        source_profile = root
                        """.formatted(ACCOUNT, role)));

        client.with("AWS_PROFILE", "painter").run("a jeep").onlyLine();

        assertEquals("a jeep", cloud.receive(queueUrl).body());
    }

    @Test
    void a_web_identity_may_assume_a_role() throws IOException {
        long end = Instant.now().plusSeconds(600).getEpochSecond();
        String claims = "{\"iss\":\"" + ISSUER + "\",\"aud\":\"couch\",\"sub\":\"me\",\"exp\":" + end + "}";
        String token = base64("{\"alg\":\"none\"}") + "." + base64(claims) + ".";

        client.with("AWS_ROLE_ARN", newRole())
                .with("AWS_WEB_IDENTITY_TOKEN_FILE", file("token", token))
                .run("a jeep")
                .onlyLine();

        assertEquals("a jeep", cloud.receive(queueUrl).body());
    }

    @Test
    void a_profile_for_sso_that_is_not_signed_in_says_how() throws IOException {
        client.with("AWS_PROFILE", "sso").with("AWS_CONFIG_FILE", file("config", """
                        [profile sso]
                        sso_session = couch
                        sso_account_id = %s
                        sso_role_name = painter
                        [sso-session couch]
                        sso_start_url = https://couch.example/start
                        sso_region = eu-west-1
                        """.formatted(ACCOUNT)));

        String error = client.run("a jeep").error(1);

        assertTrue(error.startsWith("No AWS credentials are found (the profile \"sso\" says: The SSO session"), error);
        assertTrue(error.contains("aws sso login"), error);
    }

    @Test
    void a_profile_that_is_not_there_is_named() {
        String error = client.with("AWS_PROFILE", "typo").run("a jeep").error(1);

        assertEquals(
                "No AWS credentials are found (the profile \"typo\" says: Profile file contained no credentials for profile "
                        + "'typo'): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE.",
                error);
    }

    /** Makes a role that may send and that everyone may assume, and gives its ARN. */
    private String newRole() {
        String name = LocalCloud.newName();
        String trust = """
                {"Version": "2012-10-17", "Statement": [
                  {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "%s"}},
                  {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "%s"}}]}
                """.formatted(ACCOUNT, ISSUER);
        String policy = """
                {"Version": "2012-10-17", "Statement": [
                  {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
                """;
        try (IamClient iam = cloud.iam()) {
            String arn = iam.createRole(request -> request.roleName(name).assumeRolePolicyDocument(trust))
                    .role()
                    .arn();
            iam.putRolePolicy(
                    request -> request.roleName(name).policyName("send").policyDocument(policy));
            return arn;
        }
    }

    private String file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text).toString();
    }

    private static String base64(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
