package no.couchexplorers.imagegenerator;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;

/** SQS over HTTP as its answers are documented, which fails on demand; a cloud cannot be made to fail one message. */
final class FakeSqs implements AutoCloseable {
    /** One way for a message of a batch to fail. */
    record Failure(String code, String message, boolean senderFault) {}

    private final HttpServer server;
    private final Map<String, List<Failure>> failures = new HashMap<>();
    private final List<List<String>> batches = new ArrayList<>();
    private int maximumBatchBytes = Integer.MAX_VALUE;
    private int deniedFrom = Integer.MAX_VALUE;

    FakeSqs() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        server.createContext("/", this::answer);
        server.start();
    }

    /** Lets the next attempts to send this body fail, each in its way. */
    FakeSqs failing(String body, Failure... inTurn) {
        failures.put(body, new ArrayList<>(List.of(inTurn)));
        return this;
    }

    /** Refuses batches with more bytes than this. */
    FakeSqs takingAtMost(int bytes) {
        maximumBatchBytes = bytes;
        return this;
    }

    /** Denies all requests from this one on, counted from 1. */
    FakeSqs denyingFromRequest(int number) {
        deniedFrom = number;
        return this;
    }

    /** The bodies of every batch that came, refused ones too. */
    List<List<String>> batches() {
        return batches;
    }

    /** A queue on this server. */
    Queue queue() throws UsageException {
        QueueAddress address = QueueAddress.of(
                "http://127.0.0.1:" + server.getAddress().getPort() + "/000000000000/prompts", Map.of());
        return Queue.open(
                address, Map.of(), StaticCredentialsProvider.create(AwsBasicCredentials.create("key", "secret")));
    }

    private void answer(HttpExchange exchange) throws IOException {
        String text = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        JsonArray entries =
                JsonParser.parseString(text).getAsJsonObject().get("Entries").getAsJsonArray();
        List<String> bodies = new ArrayList<>();
        entries.forEach(entry -> bodies.add(body(entry)));
        batches.add(bodies);
        if (batches.size() >= deniedFrom) {
            refuse(exchange, 403, "AccessDeniedException", "AccessDenied", "not authorized");
        } else if (String.join("", bodies).length() > maximumBatchBytes) {
            refuse(exchange, 400, "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", "too long");
        } else {
            send(exchange, 200, sorted(entries));
        }
    }

    private JsonObject sorted(JsonArray entries) {
        JsonArray successful = new JsonArray();
        JsonArray failed = new JsonArray();
        for (JsonElement entry : entries) {
            JsonObject result = new JsonObject();
            result.add("Id", entry.getAsJsonObject().get("Id"));
            List<Failure> inTurn = failures.getOrDefault(body(entry), List.of());
            if (inTurn.isEmpty()) {
                result.addProperty("MessageId", "id of " + body(entry));
                result.addProperty("MD5OfMessageBody", md5(body(entry)));
                successful.add(result);
            } else {
                Failure failure = inTurn.remove(0);
                result.addProperty("Code", failure.code());
                result.addProperty("Message", failure.message());
                result.addProperty("SenderFault", failure.senderFault());
                failed.add(result);
            }
        }
        JsonObject answer = new JsonObject();
        answer.add("Successful", successful);
        answer.add("Failed", failed);
        return answer;
    }

    private static String body(JsonElement entry) {
        return entry.getAsJsonObject().get("MessageBody").getAsString();
    }

    private static void refuse(HttpExchange exchange, int status, String type, String code, String message)
            throws IOException {
        JsonObject error = new JsonObject();
        error.addProperty("__type", "com.amazonaws.sqs#" + type);
        error.addProperty("message", message);
        exchange.getResponseHeaders().set("x-amzn-query-error", code + ";Sender");
        send(exchange, status, error);
    }

    private static void send(HttpExchange exchange, int status, JsonObject answer) throws IOException {
        byte[] bytes = answer.toString().getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/x-amz-json-1.0");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private static String md5(String body) {
        try {
            byte[] digest = MessageDigest.getInstance("MD5").digest(body.getBytes(StandardCharsets.UTF_8));
            return String.format("%032x", new BigInteger(1, digest));
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
