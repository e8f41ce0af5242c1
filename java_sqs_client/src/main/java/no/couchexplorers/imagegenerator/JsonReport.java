package no.couchexplorers.imagegenerator;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;

/** For a program: one JSON object a message on standard output, in the order of the answers. */
final class JsonReport implements Report {
    private final PrintStream out;
    private final PrintStream err;

    JsonReport(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    @Override
    public void sent(Message message, String messageId) {
        print(message, "sent", "message_id", messageId);
    }

    @Override
    public void refused(Message message, String reason) {
        print(message, "failed", "reason", reason);
    }

    @Override
    public void failed(List<Message> messages, String reason) {
        messages.forEach(message -> refused(message, reason));
    }

    @Override
    public void finished(int sent, int total) {
        err.println("Sent " + sent + " of " + total + (total == 1 ? " prompt." : " prompts."));
    }

    /** The prompt of the command line stands on no line. */
    private void print(Message message, String status, String name, String value) {
        StringWriter text = new StringWriter();
        try (JsonWriter json = new JsonWriter(text)) {
            json.beginObject();
            if (message.line() > 0) {
                json.name("line").value(message.line());
            }
            json.name("status").value(status).name(name).value(value).endObject();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        out.println(text);
    }
}
