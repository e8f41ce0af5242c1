package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.iam.IamClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/**
 * The cloud that the integration tests run on: the one that AWS_ENDPOINT_URL names, else a process that is started for
 * them and ended after the last.
 */
final class LocalCloud {
    static final String REGION = "eu-west-1";

    /** The account's root, which the local cloud takes with any secret. */
    static final AwsBasicCredentials ROOT = AwsBasicCredentials.create("000000000000", "local");

    private static final Path PYTHON = Path.of("../.venv/bin/python");
    private static final Path PROGRAM = Path.of("../tests/bare_cloud.py");
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static LocalCloud started;

    private final String endpoint;

    private LocalCloud(String endpoint) {
        this.endpoint = endpoint;
    }

    /** Gives the one cloud of all tests; where none can be had the test is skipped, and its reason says why. */
    static synchronized LocalCloud running() {
        if (started == null) {
            String endpoint = System.getenv("AWS_ENDPOINT_URL");
            started = new LocalCloud(endpoint == null || endpoint.isBlank() ? start() : endpoint);
        }
        return started;
    }

    String endpoint() {
        return endpoint;
    }

    SqsClient sqs() {
        return SqsClient.builder()
                .endpointOverride(URI.create(endpoint))
                .region(Region.of(REGION))
                .credentialsProvider(StaticCredentialsProvider.create(ROOT))
                .httpClient(UrlConnectionHttpClient.create())
                .build();
    }

    IamClient iam() {
        return IamClient.builder()
                .endpointOverride(URI.create(endpoint))
                .region(Region.AWS_GLOBAL)
                .credentialsProvider(StaticCredentialsProvider.create(ROOT))
                .httpClient(UrlConnectionHttpClient.create())
                .build();
    }

    /** Makes a queue that no other test knows and gives its URL. */
    String newQueue(Map<QueueAttributeName, String> attributes) {
        try (SqsClient sqs = sqs()) {
            return sqs.createQueue(request -> request.queueName(newName()).attributes(attributes))
                    .queueUrl();
        }
    }

    String newQueue() {
        return newQueue(Map.of());
    }

    /** A name that no other test uses. */
    static String newName() {
        return "client-test-" + UUID.randomUUID();
    }

    /** Takes a message from the queue; fails if there is none. */
    Message receive(String queueUrl) {
        return receiveAll(queueUrl, 1).get(0);
    }

    /** Takes this many messages from the queue, in any order. */
    List<Message> receiveAll(String queueUrl, int count) {
        List<Message> messages = new ArrayList<>();
        try (SqsClient sqs = sqs()) {
            while (messages.size() < count) {
                List<Message> more = sqs.receiveMessage(
                                request -> request.queueUrl(queueUrl).maxNumberOfMessages(10))
                        .messages();
                if (more.isEmpty()) {
                    throw new AssertionError("The queue has only " + messages.size() + " of " + count + " messages.");
                }
                messages.addAll(more);
            }
        }
        return messages;
    }

    private static String start() {
        if (!Files.isExecutable(PYTHON) || !Files.exists(PROGRAM)) {
            abort("No local cloud: AWS_ENDPOINT_URL names none, and there is no " + PYTHON + " to start one ("
                    + "`make setup` in the folder above makes it).");
        }
        try {
            int port = freePort();
            Path folder = Files.createDirectories(Path.of("target", "local-cloud", Integer.toString(port)));
            ProcessBuilder builder = new ProcessBuilder(
                            PYTHON.toString(),
                            PROGRAM.toString(),
                            Integer.toString(port),
                            folder.toAbsolutePath().toString())
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("output.log").toFile());
            builder.environment().keySet().removeIf(name -> name.startsWith("AWS_") || name.startsWith("COUCH_"));
            Process process = builder.start();
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
            String endpoint = "http://127.0.0.1:" + port;
            waitFor(endpoint, process, folder.resolve("output.log").toFile());
            return endpoint;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static void waitFor(String endpoint, Process process, File log) throws IOException {
        Instant end = Instant.now().plus(PATIENCE);
        while (!isHealthy(endpoint)) {
            if (!process.isAlive() || Instant.now().isAfter(end)) {
                process.destroy();
                throw new IllegalStateException("The local cloud did not start: " + Files.readString(log.toPath()));
            }
            try {
                Thread.sleep(100);
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
        }
    }

    private static boolean isHealthy(String endpoint) {
        try {
            HttpURLConnection connection = (HttpURLConnection)
                    URI.create(endpoint + "/_couch/health").toURL().openConnection();
            return connection.getResponseCode() == HttpURLConnection.HTTP_OK;
        } catch (IOException error) {
            return false;
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
