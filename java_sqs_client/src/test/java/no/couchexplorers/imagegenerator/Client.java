package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The jar as a person runs it: a process of its own, whose environment holds nothing but what a test puts there. */
final class Client {
    private static final int PATIENCE_SECONDS = 60;

    private final Map<String, String> environment = new HashMap<>();
    private String input = "";

    /** What a run has left. */
    record Run(int status, String out, String err) {
        /** The only line on standard output, after a run in which everything went well. */
        String onlyLine() {
            assertEquals("", err);
            assertEquals(0, status);
            assertEquals(1, out.lines().count(), out);
            return out.strip();
        }

        /** The sentence of a run that sent nothing: the only line there is, and no stack trace. */
        String error(int expectedStatus) {
            assertEquals("", out);
            assertEquals(1, err.lines().count(), err);
            assertEquals("Error: ", err.substring(0, Math.min(7, err.length())), err);
            assertEquals(expectedStatus, status);
            return err.substring("Error: ".length()).strip();
        }
    }

    /** A client that has nothing: no credentials, no queue, no network but the local cloud's. */
    static Client withNothing() {
        Client client = new Client();
        Path home = Path.of("target", "empty-home").toAbsolutePath();
        client.with("HOME", home.toString())
                .with("LC_ALL", "C.UTF-8")
                .with("AWS_CONFIG_FILE", home.resolve("config").toString())
                .with("AWS_SHARED_CREDENTIALS_FILE", home.resolve("credentials").toString())
                .with("AWS_EC2_METADATA_DISABLED", "true");
        return client;
    }

    /** A client that may do everything on the local cloud. */
    static Client ofRoot(LocalCloud cloud, String queueUrl) {
        return withNothing()
                .withKeys(LocalCloud.ROOT.accessKeyId(), LocalCloud.ROOT.secretAccessKey())
                .with("AWS_ENDPOINT_URL", cloud.endpoint())
                .with("SQS_QUEUE_URL", queueUrl);
    }

    Client with(String name, String value) {
        environment.put(name, value);
        return this;
    }

    Client without(String name) {
        environment.remove(name);
        return this;
    }

    Client withKeys(String key, String secret) {
        return with("AWS_ACCESS_KEY_ID", key).with("AWS_SECRET_ACCESS_KEY", secret);
    }

    /** Gives the text on standard input. */
    Client reading(String text) {
        input = text;
        return this;
    }

    Run run(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // What makes a short run short.
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-jar",
                System.getProperty("client.jar")));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().clear();
        builder.environment().putAll(environment);
        try {
            Path out = Files.createTempFile("client", ".out");
            Path err = Files.createTempFile("client", ".err");
            Process process = builder.redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            try (OutputStream stream = process.getOutputStream()) {
                stream.write(input.getBytes(StandardCharsets.UTF_8));
            }
            boolean ended = process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
            process.destroyForcibly();
            Run run = new Run(ended ? process.exitValue() : -1, Files.readString(out), Files.readString(err));
            Files.delete(out);
            Files.delete(err);
            assertFalse(run.err().contains("SLF4J"), run.err());
            return run;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }
}
