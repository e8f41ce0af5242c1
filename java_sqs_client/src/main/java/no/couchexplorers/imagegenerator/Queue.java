package no.couchexplorers.imagegenerator;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.SqsClientBuilder;
import software.amazon.awssdk.services.sqs.model.BatchResultErrorEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResponse;

/** One queue and the two requests that are made of it; what the SDK throws comes out as a sentence. */
final class Queue implements AutoCloseable {
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration READ_TIMEOUT = Duration.ofSeconds(30);

    private final QueueAddress address;
    private final Optional<ProxyServer> proxy;
    private final SqsClient client;

    private Queue(QueueAddress address, Optional<ProxyServer> proxy, SqsClient client) {
        this.address = address;
        this.proxy = proxy;
        this.client = client;
    }

    /** Finds credentials and makes the client; does not ask SQS yet. */
    static Queue open(QueueAddress address, Map<String, String> environment) throws NotSentException, UsageException {
        // Before the credentials are looked for, which may take the same way.
        new Proxies(environment).of(URI.create(address.server()));
        return open(address, environment, Credentials.find(environment, address.region()));
    }

    static Queue open(QueueAddress address, Map<String, String> environment, AwsCredentialsProvider credentials)
            throws UsageException {
        Optional<ProxyServer> proxy = new Proxies(environment).of(URI.create(address.server()));
        SqsClientBuilder builder = SqsClient.builder()
                .credentialsProvider(credentials)
                .region(Region.of(address.region()))
                .httpClient(new LazyTlsHttpClient(environment, CONNECT_TIMEOUT, READ_TIMEOUT));
        address.endpoint().ifPresent(builder::endpointOverride);
        // Only where the URL says so: the environment and the profile may ask for these too.
        if (address.fips()) {
            builder.fipsEnabled(true);
        }
        if (address.dualStack()) {
            builder.dualstackEnabled(true);
        }
        return new Queue(address, proxy, builder.build());
    }

    /** Sends one message and gives its message id. */
    String send(Message message) throws NotSentException {
        try {
            return client.sendMessage(request -> request.queueUrl(address.url()).messageBody(message.body()))
                    .messageId();
        } catch (SdkException error) {
            throw new NotSentException(Explanation.of(error, address, proxy), error);
        }
    }

    /** Sends up to ten messages; entries carry their index in the list as id. */
    SendMessageBatchResponse send(List<Message> batch) throws NotSentException {
        List<SendMessageBatchRequestEntry> entries = new ArrayList<>();
        for (Message message : batch) {
            String id = Integer.toString(entries.size());
            entries.add(SendMessageBatchRequestEntry.builder()
                    .id(id)
                    .messageBody(message.body())
                    .build());
        }
        try {
            return client.sendMessageBatch(
                    request -> request.queueUrl(address.url()).entries(entries));
        } catch (SdkException error) {
            throw new NotSentException(Explanation.of(error, address, proxy), error);
        }
    }

    /** Says in a sentence why SQS refused one message of a batch. */
    String reason(BatchResultErrorEntry entry) {
        if (Boolean.TRUE.equals(entry.senderFault())) {
            return Explanation.ofCode(entry.code(), entry.message(), address);
        }
        return Explanation.ofFault(entry.code(), entry.message());
    }

    @Override
    public void close() {
        client.close();
    }
}
