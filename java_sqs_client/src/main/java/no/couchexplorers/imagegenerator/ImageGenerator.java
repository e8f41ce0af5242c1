package no.couchexplorers.imagegenerator;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Puts image prompts on the queue that the worker reads: {@code imagegenerator "me on top of a pyramid"}.
 *
 * <p>Exit codes: 0 all prompts are sent, 1 AWS refused or could not be reached, 2 the command line or a prompt is wrong
 * and nothing was sent.
 */
public final class ImageGenerator {
    private static final int SENT = 0;
    private static final int NOT_SENT = 1;
    private static final int USAGE = 2;

    private final Map<String, String> environment;
    private final InputStream input;
    private final PrintStream out;
    private final PrintStream err;

    ImageGenerator(Map<String, String> environment, InputStream input, PrintStream out, PrintStream err) {
        this.environment = environment;
        this.input = input;
        this.out = out;
        this.err = err;
    }

    public static void main(String[] arguments) {
        // Not System.out, which writes "?" for all letters beyond ASCII where no locale is set, as in a container.
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        HttpClients.register();
        int status = new ImageGenerator(System.getenv(), System.in, out, err).run(arguments);
        out.flush();
        System.exit(status);
    }

    /** Does what the arguments ask for and gives the exit code. */
    int run(String... arguments) {
        boolean debug = false;
        try {
            Options options = Options.parse(ProgramArguments.asTyped(arguments), environment);
            debug = options.debug();
            if (options.answer().isPresent()) {
                out.print(options.answer().get());
                return SENT;
            }
            return send(options);
        } catch (UsageException error) {
            return failed(USAGE, error.getMessage(), error, debug);
        } catch (RuntimeException error) {
            String sentence = "Something went wrong that this client does not know: " + Explanation.oneLine(error)
                    + (debug ? "" : ". --debug shows where.");
            return failed(NOT_SENT, sentence, error, debug);
        }
    }

    private int send(Options options) throws UsageException {
        List<Message> messages = options.prompt().isPresent()
                ? List.of(Message.of(options.prompt().get()))
                : PromptFile.read(options.file().orElseThrow(), input);
        QueueAddress address = QueueAddress.of(options.queueUrl(), environment);
        Report report = options.json() ? new JsonReport(out, err) : new TextReport(out, err);
        Delivery delivery = new Delivery(messages, report, ImageGenerator::pause);
        try (Queue queue = Queue.open(address, environment)) {
            if (options.prompt().isPresent()) {
                delivery.sendOne(queue);
            } else {
                delivery.sendAll(queue);
            }
        } catch (NotSentException error) {
            report.failed(delivery.pending(), error.getMessage());
            return failed(NOT_SENT, error.getMessage(), error, options.debug());
        }
        return delivery.isComplete() ? SENT : NOT_SENT;
    }

    /** Waits before attempt 2, 3, 4 for about 0.2, 0.4, 0.8 seconds, never twice the same. */
    private static void pause(int attempt) {
        long longest = 100L << (attempt - 1);
        try {
            Thread.sleep(ThreadLocalRandom.current().nextLong(longest / 2, longest + 1));
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private int failed(int status, String sentence, Exception error, boolean debug) {
        err.println("Error: " + sentence);
        if (debug) {
            error.printStackTrace(err);
        }
        return status;
    }
}
