import java.util.Arrays;
import tlc2.TLC;
import tlc2.TLCGlobals;
import util.SimpleFilenameToStream;

/*
 * Runs TLC on several models of one module, one after the other, in one Java
 * run-time: starting it, and compiling TLC anew, costs a small model more than
 * its states do.
 *
 *     ManyModels NAME TLC_ARGUMENT... [-- NAME TLC_ARGUMENT...]...
 *
 * After each model it prints "@@ NAME SECONDS".  Between two models it puts back
 * what TLC keeps in static fields and a command line may set.  That nothing else
 * is left over shows in the figures that check.py compares: they were written by
 * a run-time for each model.  (Liveness does leave something over: TLC reports
 * the first violation in a run-time only.)
 */
final class ManyModels {
    private ManyModels() {}

    private static void run(String[] model, int coverage) throws Exception {
        final long begin = System.nanoTime();
        TLCGlobals.coverageInterval = coverage;
        TLCGlobals.mainChecker = null;
        final TLC tlc = new TLC();
        if (!tlc.handleParameters(Arrays.copyOfRange(model, 1, model.length))) {
            throw new IllegalArgumentException(model[0]);
        }
        tlc.setResolver(new SimpleFilenameToStream());
        tlc.process();
        System.out.printf("%n@@ %s %.1f%n", model[0],
                          (System.nanoTime() - begin) / 1e9);
        System.out.flush();
    }

    public static void main(String[] arguments) {
        final int coverage = TLCGlobals.coverageInterval;
        int status = 1;
        try {
            int from = 0;
            for (int to = 0; to <= arguments.length; to++) {
                if (to == arguments.length || arguments[to].equals("--")) {
                    run(Arrays.copyOfRange(arguments, from, to), coverage);
                    from = to + 1;
                }
            }
            status = 0;
        } catch (Throwable why) {
            why.printStackTrace();
        }
        System.exit(status); // TLC's own threads would stay
    }
}
